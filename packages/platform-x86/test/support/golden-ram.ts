import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const GOLDEN = new URL('../../../../../shared/golden/', import.meta.url);
const PAGE = 4096;
const [FLAG_ZERO, FLAG_MEM_SIZE, FLAG_PAGE, FLAG_EOS, FLAG_CONTINUE] = [0x02, 0x04, 0x08, 0x10, 0x20];

/** The last content that a recorded stream has of the first page of a RAM block. */
export function goldenRamPage(label: string, block: string): Uint8Array | undefined {
  const file = new URL(`${label}.mig.gz`, GOLDEN);
  if (!existsSync(file)) {
    if (process.env['CI'] !== undefined) throw new Error(`${file.pathname} is missing`);
    return undefined;
  }
  const stream = gunzipSync(readFileSync(file));
  const sidecar = JSON.parse(readFileSync(new URL(`${label}.json`, GOLDEN), 'utf8')) as {
    records: { at: number; type: string; name: string; bytes: number }[];
  };
  let found: Uint8Array | undefined;
  for (const record of sidecar.records.filter((entry) => entry.name === 'ram')) {
    const header = record.type === 'START' ? 1 + 4 + 1 + 3 + 4 + 4 : 1 + 4;
    found = firstPage(stream, record.at + header, record.at + record.bytes, block) ?? found;
  }
  return found;
}

function firstPage(stream: Uint8Array, start: number, end: number, block: string): Uint8Array | undefined {
  const view = new DataView(stream.buffer, stream.byteOffset);
  let at = start;
  let current = '';
  let found: Uint8Array | undefined;
  while (at < end) {
    const word = view.getBigUint64(at);
    at += 8;
    const flags = Number(word & 0xfffn);
    const address = Number(word - BigInt(flags));
    if ((flags & FLAG_EOS) !== 0) break;
    if ((flags & FLAG_MEM_SIZE) !== 0) {
      for (let left = address; left > 0; ) {
        at += 1 + stream[at]!;
        left -= Number(view.getBigUint64(at));
        at += 8;
      }
      continue;
    }
    if ((flags & FLAG_CONTINUE) === 0) {
      const length = stream[at]!;
      current = new TextDecoder().decode(stream.subarray(at + 1, at + 1 + length));
      at += 1 + length;
    }
    const isZero = (flags & FLAG_ZERO) !== 0;
    if (!isZero && (flags & FLAG_PAGE) === 0) throw new Error(`unknown RAM flags 0x${flags.toString(16)}`);
    if (current === block && address === 0) found = isZero ? new Uint8Array(PAGE) : stream.slice(at, at + PAGE);
    at += isZero ? 1 : PAGE;
  }
  return found;
}
