import { SternaError } from '@sterna/core';
import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import type { MonitorBlocks, MonitorTarget } from '../target.ts';
import { BLOCK_DEVICE_INFO, BLOCK_INFO, blockdevOptions } from '../types/block-types.ts';
import { defineCommand, NOTHING, nothing } from './define-command.ts';

/** The target's disks. @throws SternaError where there are none */
export function blocksOf({ blocks }: MonitorTarget): MonitorBlocks {
  if (blocks === undefined) throw new SternaError('STERNA_ERR_UNSUPPORTED', 'this machine has no disks');
  return blocks;
}

/** Commands about disks. */
export const blockCommands = {
  'blockdev-add': defineCommand({
    help: 'Makes a node of the block graph, with those that its options describe',
    // The names are in the drivers' own tables, which check them.
    arguments: blockdevOptions([]),
    argumentsIn: ({ blockDrivers }) => blockdevOptions(blockDrivers),
    returns: nothing,
    async run({ target }, args) {
      await blocksOf(target).add(args);
      return NOTHING;
    },
  }),
  'blockdev-del': defineCommand({
    help: 'Deletes a node that nothing uses',
    arguments: t.object({ 'node-name': t.str }),
    returns: nothing,
    async run({ target }, args) {
      await blocksOf(target).delete(args['node-name']);
      return NOTHING;
    },
  }),
  'blockdev-set-active': defineCommand({
    help: 'Gives up a node (or all), so that another process may write to it, or takes it over',
    arguments: t.object({ 'node-name': t.optional(t.str), active: t.bool }),
    returns: nothing,
    async run({ target }, args) {
      await blocksOf(target).setActive(args['node-name'], args.active);
      return NOTHING;
    },
  }),
  block_resize: defineCommand({
    help: 'Changes the length of a node',
    arguments: t.object({ device: t.optional(t.str), 'node-name': t.optional(t.str), size: t.int }),
    returns: nothing,
    async run({ target }, { device, 'node-name': nodeName, size }) {
      if ((device === undefined) === (nodeName === undefined))
        throw new QmpError('GenericError', "exactly one of 'device' and 'node-name' must be given");
      if (size < 0) throw new QmpError('GenericError', "Parameter 'size' expects a >0 size");
      await blocksOf(target).resize({ device, nodeName }, size);
      return NOTHING;
    },
  }),
  'query-block': defineCommand({
    help: 'The drives, and the disks of devices',
    arguments: t.object({ flat: t.optional(t.bool) }),
    returns: t.array(BLOCK_INFO),
    run: ({ target }) => blocksOf(target).disks(),
  }),
  'query-named-block-nodes': defineCommand({
    help: 'The nodes of the block graph',
    arguments: t.object({ flat: t.optional(t.bool) }),
    returns: t.array(BLOCK_DEVICE_INFO),
    run: ({ target }) => blocksOf(target).nodes(),
  }),
};
