import type { VCpu } from '@sterna/core';
import { fromHex, latin1Text, parseAddress, parseCount, toHex } from './hex.ts';
import { MAX_PACKET } from './packet.ts';
import type { GdbTarget } from './target.ts';

const INVALID = 'E22';
/** EFAULT. */
const FAULT = 'E14';
/** Most bytes read or written by one packet: two digits each, and room for the address. */
const MAX_BYTES = (MAX_PACKET - 64) / 2;

/** Handles `m`, `M` and `X` packets. */
export function memoryPacket(target: GdbTarget, cpu: VCpu, data: Uint8Array): string {
  const colon = data.indexOf(0x3a);
  const head = latin1Text(colon < 0 ? data : data.subarray(0, colon));
  const match = /^([mMX])([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(head);
  const address = parseAddress(match?.[2] ?? '');
  const length = parseCount(match?.[3] ?? '');
  if (match === null || address === undefined || length === undefined || length > MAX_BYTES) return INVALID;
  if (match[1] === 'm') return colon < 0 ? read(target, cpu, address, length) : INVALID;
  if (colon < 0) return INVALID;
  const rest = data.subarray(colon + 1);
  const bytes = match[1] === 'X' ? rest : fromHex(latin1Text(rest));
  if (bytes?.length !== length) return INVALID;
  return target.writeMemory(cpu, address, bytes) === length ? 'OK' : FAULT;
}

/** As much as there is; gdb asks again for the rest. */
function read(target: GdbTarget, cpu: VCpu, address: bigint, length: number): string {
  if (length === 0) return '';
  const bytes = new Uint8Array(length);
  const count = target.readMemory(cpu, address, bytes);
  return count === 0 ? FAULT : toHex(bytes.subarray(0, count));
}
