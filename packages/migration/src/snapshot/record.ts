/** The facts about a snapshot as a text beside its state: JSON, times as decimal text, since they need 64 bits. */
import { SternaError } from '@sterna/core';
import type { SnapshotInfo } from './store.ts';

const FORMAT = 'sterna-snapshot';
const VERSION = 1;

/** A record as it is kept. */
export interface SnapshotRecord {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly id: string;
  readonly name: string;
  readonly 'date-ns': string;
  readonly 'vm-clock-ns': string;
  readonly icount?: string;
  readonly 'vm-state-size': number;
  /** CRC-32 of the state. */
  readonly crc32: number;
}

/** The text of a record. */
export function snapshotRecordText(info: SnapshotInfo, crc32: number): string {
  const record: SnapshotRecord = {
    format: FORMAT,
    version: VERSION,
    id: info.id,
    name: info.name,
    'date-ns': String(info.dateNs),
    'vm-clock-ns': String(info.vmClockNs),
    ...(info.icount === undefined ? {} : { icount: String(info.icount) }),
    'vm-state-size': info.vmStateSize,
    crc32,
  };
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** What a record says. */
export function snapshotInfo(record: SnapshotRecord): SnapshotInfo {
  return {
    id: record.id,
    name: record.name,
    dateNs: BigInt(record['date-ns']),
    vmClockNs: BigInt(record['vm-clock-ns']),
    ...(record.icount === undefined ? {} : { icount: BigInt(record.icount) }),
    vmStateSize: record['vm-state-size'],
  };
}

/**
 * Reads a record.
 *
 * @param path where it is from, for messages
 * @param id what its name says
 * @throws SternaError `STERNA_ERR_SNAPSHOT_CORRUPT` naming what is wrong
 */
export function parseSnapshotRecord(text: string, path: string, id: string): SnapshotRecord {
  const wrong = (what: string) => new SternaError('STERNA_ERR_SNAPSHOT_CORRUPT', `${path}: ${what}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong('this is no JSON');
  }
  if (typeof value !== 'object' || value === null) throw wrong('this is no object');
  const record = value as Readonly<Record<string, unknown>>;
  if (record['format'] !== FORMAT) throw wrong(`'format' is not ${FORMAT}`);
  if (record['version'] !== VERSION) throw wrong(`'version' is not ${VERSION}; it was written by another Sterna`);
  if (record['id'] !== id) throw wrong(`'id' is not ${id}`);
  const { name } = record;
  if (typeof name !== 'string' || name === '') throw wrong("'name' is no name");
  for (const key of ['date-ns', 'vm-clock-ns', ...(record['icount'] === undefined ? [] : ['icount'])]) {
    const number = record[key];
    if (typeof number !== 'string' || !/^\d{1,20}$/.test(number)) throw wrong(`'${key}' is no count`);
  }
  if (!isCount(record['vm-state-size'], Number.MAX_SAFE_INTEGER)) throw wrong("'vm-state-size' is no count");
  if (!isCount(record['crc32'], 0xffff_ffff)) throw wrong("'crc32' is no checksum");
  // Every member was looked at.
  return record as unknown as SnapshotRecord;
}

function isCount(value: unknown, most: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;
}
