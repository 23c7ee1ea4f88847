/**
 * `node --expose-gc -C @sterna/source bench/boots-in-process.ts KERNEL INITRD COUNT`: boots machines of 256 MiB after each
 * other, closes each and collects. Prints the resident memory in MiB after each as a JSON array.
 */
import { readFileSync } from 'node:fs';
import { type CharBackend, Machine, parseCpuModel, RingbufBackend } from '@sterna/core';
import { nodeEventLoop, nodeHostClock } from '@sterna/core/node';
import { microvm } from '@sterna/machine-microvm';

const [kernelPath, initrdPath, count] = process.argv.slice(2);
const kernel = readFileSync(kernelPath!);
const initrd = readFileSync(initrdPath!);

async function bootOnce(): Promise<void> {
  const { type, properties } = parseCpuModel('qemu64', microvm.cpus);
  const serial = new RingbufBackend('serial0', 1 << 20);
  const machine = new Machine(
    {
      type: microvm.type,
      properties: {},
      cpu: type,
      cpuProperties: properties,
      cpuCount: 1,
      ramSize: 256 * 2 ** 20,
      boot: { kernel, initrd, cmdline: 'console=ttyS0 quiet', findFirmware: () => undefined },
      devices: [],
      chardevs: new Map<string, CharBackend>([['serial0', serial]]),
      serials: ['serial0'],
    },
    {
      clock: nodeHostClock,
      loop: nodeEventLoop,
      entropy: { fill: (bytes) => void bytes.fill(0x5a) },
      files: { write: () => {}, append: () => {} },
      log: () => {},
      tscHz: 1e9,
    },
  );
  machine.setRunState('running');
  const limit = Date.now() + 120_000;
  for (let text = ''; !text.includes('STERNA-SHELL-READY'); text += Buffer.from(serial.read()).toString('latin1')) {
    if (Date.now() > limit) throw new Error(`no shell after 120 s: ${text.slice(-500)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await machine.dispose();
}

const resident: number[] = [];
for (let i = 0; i < Number(count); i++) {
  await bootOnce();
  // Several turns: what a turn's promises and timers still hold is let go with it.
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    globalThis.gc!();
  }
  resident.push(Math.round(process.memoryUsage().rss / 2 ** 20));
}
console.log(JSON.stringify(resident));
