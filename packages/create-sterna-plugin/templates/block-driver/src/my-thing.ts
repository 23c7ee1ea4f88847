import { type BlockDriver, defineBlockDriver, prop } from '@sterna/core';

/** {{DESCRIPTION}}. As it is it mixes every byte with a key, which is no encryption. */
export const myThing = defineBlockDriver({
  name: 'my-thing',
  kind: 'format',
  description: '{{DESCRIPTION}}',
  properties: {
    key: prop.u8({ default: 0x5a, help: 'What every byte is mixed with' }),
  },
  children: { file: 'required' },
  open({ key }, node): BlockDriver {
    const file = node.child('file');
    return {
      get length() {
        return file.length;
      },
      get readOnly() {
        return file.readOnly;
      },
      async read(offset, into, request) {
        await file.read(offset, into, request);
        mix(into, key);
      },
      async write(offset, bytes, request) {
        // The buffer is the caller's: what goes below is a copy.
        const mixed = bytes.slice();
        mix(mixed, key);
        await file.write(offset, mixed, request);
      },
      // No writeZeroes: zeroes below are not zeroes here, so the node writes them through `write`.
      truncate: (length, request) => file.truncate(length, request),
      info: () => ({ formatSpecific: { key } }),
    };
  },
});

function mix(bytes: Uint8Array, key: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= key;
}
