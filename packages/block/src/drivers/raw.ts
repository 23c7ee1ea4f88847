import { type BlockDriver, BlockError, ConfigError, defineBlockDriver, prop } from '@sterna/core';

/** Granule of lengths that an image can be given. */
const SECTOR = 512;

/** A node's bytes as they are, or a part of them. */
export const raw = defineBlockDriver({
  name: 'raw',
  kind: 'format',
  description: "A node's bytes as they are",
  properties: {
    offset: prop.size({ default: 0, help: 'Where the part begins' }),
    size: prop.optionalSize({ help: 'Length of the part; default: all the rest' }),
  },
  children: { file: 'required' },
  open({ offset, size }, node): BlockDriver {
    const file = node.child('file');
    const origin = `raw '${node.nodeName}'`;
    if (offset > file.length || (size ?? 0) > file.length - offset) {
      throw new ConfigError(
        'STERNA_ERR_PROPERTY_VALUE',
        `${size ?? 0} bytes at ${offset} are not inside the ${file.length} bytes of node '${file.nodeName}'`,
        { path: origin },
      );
    }
    if ((size ?? 0) % SECTOR !== 0)
      throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', `${size} is not a multiple of ${SECTOR}`, {
        path: `${origin}.size`,
      });
    const whole = offset === 0 && size === undefined;
    return {
      get length() {
        return size ?? Math.max(0, file.length - offset);
      },
      get readOnly() {
        return file.readOnly;
      },
      read(at, into, request) {
        file.debugEvent('read_aio');
        return file.read(offset + at, into, request);
      },
      write(at, bytes, request) {
        file.debugEvent('write_aio');
        // The node itself flushes when the request asks for it.
        return file.write(offset + at, bytes, { signal: request.signal });
      },
      writeZeroes: (at, length, request) =>
        file.writeZeroes(offset + at, length, { ...request, fua: false, noFallback: request.noFallback }),
      discard: (at, length, request) => file.discard(offset + at, length, request),
      async truncate(length, request) {
        if (size !== undefined)
          throw new BlockError('ENOTSUP', `${origin} has a fixed size and cannot change its length`, {
            code: 'STERNA_ERR_UNSUPPORTED',
          });
        await file.truncate(offset + length, request);
      },
      async activate() {
        if (size !== undefined && file.length - offset < size) {
          throw new BlockError(
            'EINVAL',
            `${origin}: its ${size} bytes at ${offset} are no longer inside the ${file.length} bytes of '${file.nodeName}'`,
          );
        }
      },
      info: () => {
        const actualSize = file.actualSize();
        return {
          ...(whole ? { filename: file.filename } : {}),
          ...(actualSize === undefined ? {} : { actualSize }),
        };
      },
    };
  },
});
