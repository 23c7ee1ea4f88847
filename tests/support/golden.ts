import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { WireGeneration } from '@sterna/migration';
import { SHARED } from './peers.ts';

const folder = join(SHARED, 'golden');

/** Names of the streams recorded from QEMU. */
export const GOLDEN: readonly string[] = existsSync(folder)
  ? readdirSync(folder)
      .filter((name) => name.endsWith('.mig.gz'))
      .map((name) => name.slice(0, -'.mig.gz'.length))
  : [];

/** A recorded stream. */
export function goldenStream(name: string): Uint8Array {
  return gunzipSync(readFileSync(join(folder, `${name}.mig.gz`)));
}

/** How the machine of a recorded stream was started. */
export interface GoldenMachine {
  readonly properties: Readonly<Record<string, string>>;
  readonly ramMiB: number;
  readonly wire: WireGeneration;
}

/** Machine options of a recorded stream, from its sidecar. */
export function goldenMachine(name: string): GoldenMachine {
  const { command_line: line } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as {
    command_line: string[];
  };
  const option = (flag: string): string => line[line.indexOf(flag) + 1]!;
  const [, ...properties] = option('-M').split(',');
  const wires: Readonly<Record<string, WireGeneration>> = { v72: 'qemu-7.2', v100: 'qemu-10.0', v111: 'qemu-11.1' };
  return {
    properties: Object.fromEntries(properties.map((text) => text.split('=') as [string, string])),
    ramMiB: Number(option('-m')),
    wire: wires[name.split('-')[0]!]!,
  };
}
