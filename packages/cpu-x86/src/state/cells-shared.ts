import { cells } from './cells.ts';

/**
 * Cells of the engine that all vCPUs of a machine share. They lie behind the vCPU's block: a switch between vCPUs does not
 * move them and a reset does not clear them.
 */
export const SHARED_CELLS = cells({
  vcpus: { type: 'u32', doc: 'Number of vCPUs' },
  cacheEpoch: {
    type: 'u32',
    doc: 'Counts complete clearings of the decode cache: record addresses of another epoch are void',
  },
  codeEpoch: { type: 'u32', doc: 'Counts drops of decoded code' },
  regionExits: { type: 'u32', count: 8, doc: 'How often regions were left, by RegionExit; only with the counters on' },
  hotCount: { type: 'u32', doc: 'Executions after which a branch target is reported to be hot; 0 never' },
});
