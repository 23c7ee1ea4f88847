import { type BlockDriver, BlockError, ConfigError, defineBlockDriver, EventLoop, prop } from '@sterna/core';
import { BLKDEBUG_IO_TYPES, type BlkdebugIoType, BlkdebugRules } from './blkdebug-rules.ts';
import { errnoName } from './errno.ts';

/** Steps that nodes tell of; those of formats that are not here are allowed and never come. */
const EVENTS = [
  ...['none', 'read_aio', 'write_aio', 'flush_to_os', 'flush_to_disk', 'pwritev', 'pwritev_done', 'pwritev_zero'],
  ...['pwritev_rmw_head', 'pwritev_rmw_after_head', 'pwritev_rmw_tail', 'pwritev_rmw_after_tail'],
  ...['l1_update', 'l1_grow_alloc_table', 'l1_grow_write_table', 'l1_grow_activate_table', 'l1_shrink_write_table'],
  ...['l1_shrink_free_l2_clusters', 'l2_load', 'l2_update', 'l2_update_compressed', 'l2_alloc_cow_read'],
  ...[
    'l2_alloc_write',
    'read_backing_aio',
    'read_compressed',
    'write_compressed',
    'cow_read',
    'cow_write',
    'cor_write',
  ],
  ...['reftable_load', 'reftable_grow', 'reftable_update', 'refblock_load', 'refblock_update', 'refblock_update_part'],
  ...['refblock_alloc', 'refblock_alloc_hookup', 'refblock_alloc_write', 'refblock_alloc_write_blocks'],
  ...['refblock_alloc_write_table', 'refblock_alloc_switch_table', 'cluster_alloc', 'cluster_alloc_bytes'],
  ...['cluster_alloc_space', 'cluster_free', 'empty_image_prepare', 'vmstate_load', 'vmstate_save'],
] as const;

const event = prop.enum(EVENTS, { help: 'Step of the node above' });
const state = prop.u32({ default: 0, help: 'State in which the rule counts; 0: any' });

/** Shows a node as it is and lets requests fail by rules. */
export const blkdebug = defineBlockDriver({
  name: 'blkdebug',
  kind: 'filter',
  description: 'Lets requests fail by rules',
  properties: {
    'inject-error': prop.structs(
      {
        event,
        state,
        iotype: optionalIoType(),
        errno: prop.u32({ default: 5, help: 'Error number of the host; 5 is EIO' }),
        sector: prop.optionalU64({ help: 'Only requests that touch this sector' }),
        once: prop.bool({ default: false, help: 'The rule goes with its first failure' }),
        immediately: prop.bool({ default: false, help: 'Fails in the same turn' }),
      },
      { help: 'Requests that fail' },
    ),
    'set-state': prop.structs(
      { event, state, new_state: prop.u32({ help: 'State from then on' }) },
      { help: 'Changes of the state' },
    ),
    align: prop.u32({ default: 0, help: 'Requests are rounded to this many bytes, a power of two' }),
    'max-transfer': prop.u32({ default: 0, help: 'Longest request that is passed on' }),
  },
  children: { image: 'required' },
  inject: [EventLoop],
  open({ 'inject-error': inject, 'set-state': setState, align, 'max-transfer': maxTransfer }, node, loop): BlockDriver {
    const origin = `blkdebug '${node.nodeName}'`;
    if (align !== 0 && (align > 0x4000_0000 || (align & (align - 1)) !== 0))
      throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', `${align} is not a power of two up to 1G`, {
        path: `${origin}.align`,
      });
    const image = node.child('image');
    const requestAlignment = Math.max(align, image.requestAlignment);
    if (maxTransfer % requestAlignment !== 0)
      throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', `${maxTransfer} is not a multiple of ${requestAlignment}`, {
        path: `${origin}.max-transfer`,
      });
    const rules = new BlkdebugRules(
      inject,
      setState.map(({ new_state, ...rule }) => ({ ...rule, newState: new_state })),
    );
    const checked = async (kind: BlkdebugIoType, offset: number, length: number, serve: () => Promise<void>) => {
      const rule = rules.check(kind, offset, length);
      if (rule === undefined) return serve();
      if (!rule.immediately) await new Promise<void>((resolve) => loop.soon(resolve));
      const errno = errnoName(rule.errno);
      throw new BlockError(errno, `${origin} lets this ${kind} fail with ${errno}`);
    };
    return {
      get length() {
        return image.length;
      },
      get readOnly() {
        return image.readOnly;
      },
      requestAlignment,
      ...(maxTransfer === 0 ? {} : { maxTransfer }),
      read: (at, into, request) => checked('read', at, into.length, () => image.read(at, into, request)),
      write: (at, bytes, { signal }) => checked('write', at, bytes.length, () => image.write(at, bytes, { signal })),
      writeZeroes: (at, length, request) =>
        checked('write-zeroes', at, length, () => image.writeZeroes(at, length, { ...request, fua: false })),
      discard: (at, length, request) => checked('discard', at, length, () => image.discard(at, length, request)),
      flush: () => checked('flush', 0, image.length, async () => {}),
      truncate: (length, request) => image.truncate(length, request),
      debugEvent: (name) => rules.event(name),
      info: () => ({}),
    };
  },
});

/** One of the kinds, or none given: any. */
function optionalIoType() {
  const one = prop.enum(BLKDEBUG_IO_TYPES, { help: 'Only requests of this kind' });
  return {
    ...one,
    required: false as const,
    check: (value: unknown): BlkdebugIoType | undefined => (value === undefined ? undefined : one.check(value)),
    parse: (text: string): BlkdebugIoType | undefined => one.parse(text),
  };
}
