import { type XbzrleCacheStats, XbzrleCounters } from './ram/xbzrle-counters.ts';
import type { MigrationStatus } from './status.ts';
import type { ListeningAddress } from './transport/channel.ts';

/** RAM figures of `query-migrate` (QAPI MigrationStats). Bytes unless the name says otherwise. */
export interface MigrationStats {
  transferred: number;
  remaining: number;
  total: number;
  /** Zero pages sent. */
  duplicate: number;
  /** Pages sent whole. */
  normal: number;
  'normal-bytes': number;
  /** Pages the guest dirties per second. */
  'dirty-pages-rate': number;
  /** Megabits per second. */
  mbps: number;
  'dirty-sync-count': number;
  'postcopy-requests': number;
  'page-size': number;
  'multifd-bytes': number;
  'pages-per-second': number;
  'precopy-bytes': number;
  'downtime-bytes': number;
  'postcopy-bytes': number;
  'dirty-sync-missed-zero-copy': number;
}

/** Answer of `query-migrate` (QAPI MigrationInfo); times in ms. */
export interface MigrationInfo {
  readonly status?: MigrationStatus;
  readonly ram?: MigrationStats;
  /** Bytes left to send, of RAM and devices. */
  readonly remaining?: number;
  readonly 'xbzrle-cache'?: XbzrleCacheStats;
  readonly 'total-time'?: number;
  readonly 'setup-time'?: number;
  readonly downtime?: number;
  readonly 'expected-downtime'?: number;
  readonly 'cpu-throttle-percentage'?: number;
  /** Longest time in µs that a vCPU had to rest in the last period, with capability dirty-limit. */
  readonly 'dirty-limit-throttle-time-per-round'?: number;
  readonly 'error-desc'?: string;
  readonly 'blocked-reasons'?: readonly string[];
  readonly 'socket-address'?: readonly ListeningAddress[];
}

/** Counters of one outgoing migration, kept while it runs and after. */
export class MigrationCounters {
  transferred = 0;
  precopyBytes = 0;
  /** Bytes that went over multifd channels; part of `transferred`. */
  multifdBytes = 0;
  downtimeBytes = 0;
  remaining = 0;
  /** What RAM and devices had left when it was last asked. */
  pending = 0;
  total = 0;
  zeroPages = 0;
  normalPages = 0;
  readonly xbzrle: XbzrleCounters = new XbzrleCounters();
  dirtyPagesRate = 0;
  mbps = 0;
  pagesPerSecond = 0;
  syncCount = 0;
  startedAt = 0;
  /** Set as they become known. */
  setupTime: number | undefined;
  totalTime: number | undefined;
  downtime: number | undefined;
  expectedDowntime = 0;
  /** What was left to send when RAM was last synced. */
  dirtyBytesLastSync = 0;
  /** Percentage of time in which the guest is kept from running, 0 when it is not. */
  throttlePercentage = 0;

  /** Pages sent in any way (QEMU ram_get_total_transferred_pages). */
  get sentPages(): number {
    return this.zeroPages + this.normalPages + this.xbzrle.pages;
  }

  /** The `ram` member. @param completed QEMU leaves out what is left and the rate once all is done */
  stats(completed: boolean): MigrationStats {
    return {
      transferred: this.transferred,
      remaining: completed ? 0 : this.remaining,
      total: this.total,
      duplicate: this.zeroPages,
      normal: this.normalPages,
      'normal-bytes': this.normalPages * 4096,
      'dirty-pages-rate': completed ? 0 : this.dirtyPagesRate,
      mbps: this.mbps,
      'dirty-sync-count': this.syncCount,
      'postcopy-requests': 0,
      'page-size': 4096,
      'multifd-bytes': this.multifdBytes,
      'pages-per-second': this.pagesPerSecond,
      'precopy-bytes': this.precopyBytes,
      'downtime-bytes': this.downtimeBytes,
      'postcopy-bytes': 0,
      'dirty-sync-missed-zero-copy': 0,
    };
  }
}
