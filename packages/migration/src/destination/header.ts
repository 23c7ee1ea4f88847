import { StreamError } from '../errors.ts';
import { readConfiguration } from '../sections/configuration.ts';
import { SECTION, VM_FILE_MAGIC, VM_FILE_VERSION } from '../stream/constants.ts';
import type { DestinationContext } from './context.ts';

/** How TLS begins: a record of the handshake, of a version that begins with 3. */
const TLS_HANDSHAKE = 0x1603;

/** Phase 1: is this a stream, and is it from a machine like this one? */
export async function readHeader(ctx: DestinationContext): Promise<void> {
  try {
    await readParts(ctx);
  } catch (error) {
    throw StreamError.at(error, { section: 'header', offset: ctx.reader.offset });
  }
}

async function readParts(ctx: DestinationContext): Promise<void> {
  const { reader, host, capabilities, wire } = ctx;
  await reader.ensure(8);
  const magic = reader.u32();
  if (magic !== VM_FILE_MAGIC) {
    const tls = magic >>> 16 === TLS_HANDSHAKE ? '; it is TLS, which needs tls-creds here too' : '';
    throw new StreamError(
      `this is not a migration stream: it begins with 0x${magic.toString(16)}, not 0x5145564d${tls}`,
      { section: 'header', offset: 0 },
    );
  }
  const version = reader.u32();
  if (version !== VM_FILE_VERSION)
    throw new StreamError(`stream version ${version}, known is ${VM_FILE_VERSION}`, { section: 'header', offset: 4 });
  await reader.ensure(1);
  if (reader.peekU8() !== SECTION.configuration) {
    if (!wire.sendConfiguration) return;
    throw new StreamError(
      'there is no configuration section; a source without it needs -global migration.send-configuration=off here too',
      { section: 'configuration', offset: reader.offset },
    );
  }
  reader.skip(1);
  await readConfiguration(reader, host, capabilities);
}
