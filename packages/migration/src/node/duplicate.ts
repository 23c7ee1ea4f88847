import { hostFunctions } from '@sterna/core/node';

const library = hostFunctions((ffi) => {
  const { lib, functions } = ffi.dlopen(null, { dup: { arguments: ['i32'], return: 'i32' } });
  return { lib, call: functions };
});

/** A second descriptor of what `fd` is open to, which its caller closes; undefined where the host does not offer it. */
export function duplicate(fd: number): number | undefined {
  const copy = library()?.call.dup(fd) ?? -1;
  return copy < 0 ? undefined : copy;
}
