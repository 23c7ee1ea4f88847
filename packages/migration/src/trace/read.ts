import { SternaError } from '@sterna/core';
import { TRACE_VERSION, type Trace, type TraceHeader, type TraceRecord } from './schema.ts';

/** Members that the report relies on, by type of record. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  status: [],
  point: [],
  pass: ['pass', 'dirtied', 'remaining', 'sent'],
  window: ['ms', 'throttle', 'expectedDowntime'],
  throttle: ['percentage'],
  section: ['ms', 'instance', 'id', 'offset', 'bytes'],
  ping: ['value'],
  pong: ['value'],
  end: [],
};

/**
 * Reads a trace. One that was cut is read as far as it goes; records of unknown types are left out.
 *
 * @param name of the file, for messages
 * @throws SternaError `STERNA_ERR_TRACE` when it is none, or of a newer version
 */
export function readTrace(text: string, name: string): Trace {
  const lines = text.split('\n');
  // What was being written when the process ended.
  const rest = lines.pop();
  const refuse = (line: number, why: string): never => {
    throw new SternaError('STERNA_ERR_TRACE', `${name}, line ${line}: ${why}`);
  };
  if (lines.length === 0) refuse(1, rest === '' ? 'the file is empty' : 'this is no trace of a migration');
  const header = parse(lines[0]!) as Partial<TraceHeader> | undefined;
  if (header?.type !== 'trace' || typeof header.version !== 'number') refuse(1, 'this is no trace of a migration');
  const { version, side } = header!;
  if (version! > TRACE_VERSION) refuse(1, `version ${version}, known is ${TRACE_VERSION}`);
  if (side !== 'source' && side !== 'destination') refuse(1, `side '${side}' is neither source nor destination`);
  const records: TraceRecord[] = [];
  for (const [i, line] of lines.slice(1).entries()) {
    const record = parse(line);
    if (record === undefined || typeof record['t'] !== 'number') refuse(i + 2, 'this is no record of a trace');
    const numbers = NUMBERS[String(record!['type'])];
    if (numbers === undefined) continue;
    const missing = numbers.find((member) => typeof record![member] !== 'number');
    if (missing !== undefined) refuse(i + 2, `a record '${String(record!['type'])}' without its number '${missing}'`);
    checkParts(record!, (why) => refuse(i + 2, why));
    // Its type is known and what is used of it was looked at.
    records.push(record as unknown as TraceRecord);
  }
  return {
    header: { by: '', date: '', channel: '', capabilities: [], ...header } as TraceHeader,
    records,
    complete: records.at(-1)?.type === 'end',
  };
}

function checkParts(record: Readonly<Record<string, unknown>>, refuse: (why: string) => void): void {
  const { type, ram, parts } = record;
  if (type === 'window' && (typeof ram !== 'object' || ram === null)) refuse("a record 'window' without 'ram'");
  if ((type === 'window' || type === 'end') && !Array.isArray(parts)) refuse(`a record '${type}' without 'parts'`);
  if (type === 'section' && typeof record['idstr'] !== 'string') refuse("a record 'section' without 'idstr'");
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
