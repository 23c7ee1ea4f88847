import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const directory = fileURLToPath(new URL('../../../../../shared/golden', import.meta.url));

/** Why golden tests cannot run here, or undefined. In CI their absence is a failure. */
export const goldenMissing: string | undefined = existsSync(directory)
  ? undefined
  : 'no ../shared/golden on this machine';
if (goldenMissing !== undefined && process.env['CI']) throw new Error(goldenMissing);

/** Names of the recorded streams. */
export const goldenNames: readonly string[] = goldenMissing
  ? []
  : readdirSync(directory)
      .filter((name) => name.endsWith('.mig.gz'))
      .map((name) => name.slice(0, -'.mig.gz'.length));

/** A recorded stream. */
export function goldenStream(name: string): Uint8Array {
  return gunzipSync(readFileSync(`${directory}/${name}.mig.gz`));
}

/** What is known about a recorded stream. */
export interface Sidecar {
  readonly machine: string;
  readonly ram_blocks: {
    readonly blocks: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
  };
  readonly devices: readonly { readonly name: string; readonly value: Record<string, unknown> }[];
}

/** The sidecar of a recorded stream. */
export function goldenSidecar(name: string): Sidecar {
  return JSON.parse(readFileSync(`${directory}/${name}.json`, 'utf8')) as Sidecar;
}
