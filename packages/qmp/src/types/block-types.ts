import { type BlockDeviceInfo, type BlockInfo, NODE_PROPERTIES } from '@sterna/block';
import type { BlockDriverType } from '@sterna/core';
import { type QapiType, t } from '../schema/types.ts';
import { propertyMembers } from './property-types.ts';

const IMAGE_INFO = t.object({
  filename: t.str,
  format: t.str,
  'virtual-size': t.int,
  'actual-size': t.optional(t.int),
  'dirty-flag': t.optional(t.bool),
  'format-specific': t.optional(
    t.union(
      'type',
      { type: t.enum(['file']) },
      { file: { data: t.object({ 'extent-size-hint': t.optional(t.int) }) } },
    ),
  ),
  limits: t.optional(
    t.object({
      'request-alignment': t.int,
      'max-transfer': t.optional(t.int),
      'max-iov': t.int,
      'min-mem-alignment': t.int,
      'opt-mem-alignment': t.int,
    }),
  ),
});

/** QAPI BlockDeviceInfo: one node. */
export const BLOCK_DEVICE_INFO: QapiType<BlockDeviceInfo> = t.object({
  file: t.str,
  'node-name': t.str,
  ro: t.bool,
  drv: t.str,
  backing_file_depth: t.int,
  active: t.bool,
  encrypted: t.bool,
  detect_zeroes: t.enum(['off', 'on', 'unmap']),
  bps: t.int,
  bps_rd: t.int,
  bps_wr: t.int,
  iops: t.int,
  iops_rd: t.int,
  iops_wr: t.int,
  image: IMAGE_INFO,
  cache: t.object({ writeback: t.bool, direct: t.bool, 'no-flush': t.bool }),
  write_threshold: t.int,
  children: t.array(t.object({ child: t.str, 'node-name': t.str })),
}) as unknown as QapiType<BlockDeviceInfo>;

/** QAPI BlockInfo: one drive or disk of a device. */
export const BLOCK_INFO: QapiType<BlockInfo> = t.object({
  device: t.str,
  qdev: t.optional(t.str),
  type: t.str,
  removable: t.bool,
  locked: t.bool,
  'io-status': t.optional(t.enum(['ok', 'failed', 'nospace'])),
  inserted: t.optional(BLOCK_DEVICE_INFO),
}) as unknown as QapiType<BlockInfo>;

/** QAPI BlockdevOptions for these drivers; their tables check the values. */
export function blockdevOptions(drivers: readonly BlockDriverType[]): QapiType<Readonly<Record<string, unknown>>> {
  // A node below is described in place, or named.
  const node: QapiType<unknown> = t.alternate([t.lazy(() => options), t.str]);
  const options: QapiType<unknown> = {
    kind: 'object',
    members: {
      driver: t.enum(drivers.map(({ descriptor }) => descriptor.name)),
      'node-name': t.optional(t.str),
      cache: t.optional(t.object({ direct: t.optional(t.bool), 'no-flush': t.optional(t.bool) })),
      ...propertyMembers(NODE_PROPERTIES),
    },
    tag: 'driver',
    variants: Object.fromEntries(
      drivers.map(({ descriptor: { name, properties = {}, children = {} } }) => [
        name,
        t.object({
          ...Object.fromEntries(
            Object.entries(children).map(([child, need]) => [child, need === 'required' ? node : t.optional(node)]),
          ),
          ...propertyMembers(properties),
        }),
      ]),
    ),
    check: (value) => value,
  };
  return t.described(options);
}
