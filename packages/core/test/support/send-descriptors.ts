import type { Socket } from 'node:net';

/** Sends bytes and descriptors over a connected unix socket (`SCM_RIGHTS`), as Node has no words for it. 64-bit Linux. */
export function sendDescriptors(socket: Socket, text: string, fds: readonly number[]): void {
  const ffi = process.getBuiltinModule('node:ffi');
  const { functions } = ffi.dlopen(null, {
    sendmsg: { arguments: ['i32', 'buffer', 'i32'], return: 'i64' },
  });
  const bytes = new TextEncoder().encode(text);
  const controlSize = 16 + Math.ceil((fds.length * 4) / 8) * 8;
  const memory = new ArrayBuffer(128 + controlSize + bytes.length);
  const view = new DataView(memory);
  const base = ffi.getRawPointer(memory);
  const data = 128 + controlSize;
  new Uint8Array(memory, data).set(bytes);
  view.setBigUint64(64, base + BigInt(data), true);
  view.setBigUint64(72, BigInt(bytes.length), true);
  view.setBigUint64(16, base + 64n, true);
  view.setBigUint64(24, 1n, true);
  if (fds.length > 0) {
    view.setBigUint64(32, base + 128n, true);
    view.setBigUint64(40, BigInt(controlSize), true);
    view.setBigUint64(128, BigInt(16 + fds.length * 4), true);
    view.setInt32(136, 1, true);
    view.setInt32(140, 1, true);
    for (const [i, fd] of fds.entries()) view.setInt32(144 + i * 4, fd, true);
  }
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const sent = Number(functions.sendmsg(fd, Buffer.from(memory, 0, 56), 0));
  if (sent !== bytes.length) throw new Error(`sendmsg sent ${sent} of ${bytes.length} bytes`);
}
