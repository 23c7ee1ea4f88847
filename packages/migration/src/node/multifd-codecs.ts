/**
 * Compression of multifd channels. A channel's packets are one continuous stream, flushed after each packet, and are made and
 * read in the channel's thread: Node's streams would hand them to threads that nobody can give a lower priority.
 */
import type { MultifdCompression } from '../multifd/packets.ts';
import type { PayloadCodecs, PayloadDecoder, PayloadEncoder } from '../multifd/page-method.ts';

/** Loaded where it is wanted: threads without compression start sooner. */
function library() {
  const zlib = process.getBuiltinModule('node:zlib');
  return { zlib, ...zlib.constants };
}

/** What lies under a stream of `node:zlib`: Node's own interface to the library, without a queue and without threads. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  onerror: (message: string) => void;
}

/** The state of one stream. */
class Codec {
  readonly #handle: Handle;
  /** Room and input that are left after a call. */
  readonly #left: Uint32Array;
  readonly #flush: number;
  #error: string | undefined;

  constructor(stream: object, flush: number) {
    // `test/node/multifd-codecs.test.ts` notices when a release of Node changes this.
    const { _handle, _writeState } = stream as { readonly _handle: Handle; readonly _writeState: Uint32Array };
    this.#handle = _handle;
    this.#left = _writeState;
    this.#flush = flush;
    _handle.onerror = (message) => {
      this.#error = message;
    };
  }

  run(input: Uint8Array, output: Uint8Array): { readonly taken: number; readonly written: number } {
    this.#handle.writeSync(this.#flush, input, 0, input.length, output, 0, output.length);
    if (this.#error !== undefined) throw new Error(this.#error);
    return { taken: input.length - this.#left[1]!, written: output.length - this.#left[0]! };
  }
}

function encoder(codec: Codec): PayloadEncoder {
  return {
    encode(input, output) {
      const { taken, written } = codec.run(input, output);
      if (taken === input.length && written < output.length) return written;
      throw new Error(`${input.length} bytes do not fit ${output.length} when they are compressed`);
    },
  };
}

function decoder(codec: Codec): PayloadDecoder {
  return { decode: (input, output) => codec.run(input, output) };
}

/** Node's zlib and zstd. */
export const nodeCodecs: PayloadCodecs = {
  encoder(method: MultifdCompression, level: number): PayloadEncoder | undefined {
    if (method === 'none') return undefined;
    const { zlib, Z_SYNC_FLUSH, ZSTD_c_compressionLevel, ZSTD_e_flush } = library();
    switch (method) {
      case 'zlib':
        return encoder(new Codec(zlib.createDeflate({ level }), Z_SYNC_FLUSH));
      case 'zstd':
        return encoder(
          new Codec(zlib.createZstdCompress({ params: { [ZSTD_c_compressionLevel]: level } }), ZSTD_e_flush),
        );
    }
  },
  decoder(method: MultifdCompression): PayloadDecoder | undefined {
    if (method === 'none') return undefined;
    const { zlib, Z_SYNC_FLUSH, ZSTD_e_continue } = library();
    switch (method) {
      case 'zlib':
        return decoder(new Codec(zlib.createInflate(), Z_SYNC_FLUSH));
      case 'zstd':
        return decoder(new Codec(zlib.createZstdDecompress(), ZSTD_e_continue));
    }
  },
};
