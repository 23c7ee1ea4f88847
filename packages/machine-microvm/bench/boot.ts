/**
 * Boots a guest in this process and prints its console: the shortest way to look at a boot.
 *
 *   node -C @sterna/source packages/machine-microvm/bench/boot.ts --kernel K [--initrd I] [--append T] [--m 256]
 *     [--M acpi=off,x-direct-boot=on] [--smp 1] [--until TEXT] [--input TEXT] [--seconds 60] [--sample 1] [--icount N]
 *
 * Ends when TEXT has been printed (exit code 0), the guest has ended, or the time is up (1). With `--sample` the state of
 * CPU 0 is printed every so many seconds.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type CharBackend, type CharFrontend, Machine, parseSize } from '@sterna/core';
import { hostTscFrequency, nodeEntropy, nodeEventLoop, nodeHostClock, nodeHostFiles } from '@sterna/core/node';
import { microvm } from '@sterna/machine-microvm';
import { firmwareFinder } from '@sterna/machine-microvm/node';

const { values: options } = parseArgs({
  options: {
    M: { type: 'string', default: '' },
    kernel: { type: 'string' },
    initrd: { type: 'string' },
    append: { type: 'string', default: 'console=ttyS0' },
    bios: { type: 'string' },
    m: { type: 'string', default: '256' },
    smp: { type: 'string', default: '1' },
    until: { type: 'string' },
    input: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    sample: { type: 'string' },
    icount: { type: 'string' },
  },
});

/** A console that prints what the guest writes and looks for the text to wait for. */
class Console implements CharBackend {
  readonly id = 'console';
  readonly connected = true;
  text = '';
  onText: () => void = () => {};
  #frontend: CharFrontend | undefined;

  attach(frontend: CharFrontend | undefined): void {
    this.#frontend = frontend;
  }
  write(bytes: Uint8Array): number {
    process.stdout.write(bytes);
    this.text = (this.text + Buffer.from(bytes).toString('latin1')).slice(-4096);
    this.onText();
    return bytes.length;
  }
  type(text: string): void {
    for (const byte of Buffer.from(text, 'latin1')) this.#frontend?.receive(Uint8Array.of(byte));
  }
  onWritable(callback: () => void): void {
    callback();
  }
  acceptInput(): void {}
  async close(): Promise<void> {}
}

const read = (path: string | undefined): Uint8Array | undefined =>
  path === undefined ? undefined : new Uint8Array(readFileSync(path));
const [kernel, initrd, bios] = [read(options.kernel), read(options.initrd), read(options.bios)];
const properties = Object.fromEntries(
  options.M.split(',')
    .filter((part) => part !== '')
    .map((part) => part.split('=') as [string, string]),
);
const guestConsole = new Console();
const started = performance.now();
const machine = new Machine(
  {
    type: microvm.type,
    properties,
    cpu: microvm.defaultCpu,
    cpuProperties: {},
    cpuCount: Number(options.smp),
    ramSize: parseSize(options.m, 2 ** 20),
    boot: {
      cmdline: options.append,
      findFirmware: firmwareFinder(),
      ...(kernel && { kernel }),
      ...(initrd && { initrd }),
      ...(bios && { bios }),
    },
    devices: [],
    chardevs: new Map([['console', guestConsole]]),
    serials: ['console'],
    ...(options.icount === undefined ? {} : { icountShift: Number(options.icount) }),
  },
  {
    clock: nodeHostClock,
    loop: nodeEventLoop,
    entropy: nodeEntropy,
    files: nodeHostFiles,
    log: (level, source, text) => console.error(`[${level}] ${source}: ${text}`),
    tscHz: hostTscFrequency().hz,
  },
);

function report(what: string): void {
  const seconds = (performance.now() - started) / 1000;
  const millions = machine.loop.executed / 1e6;
  console.error(
    `\n${what}: ${seconds.toFixed(1)} s, guest ${(machine.clock.now() / 1e9).toFixed(2)} s, ${millions.toFixed(0)} M instructions, ${(millions / seconds).toFixed(1)} MIPS`,
  );
}

function end(what: string, code: number): never {
  report(what);
  if (code !== 0) console.error(machine.cpus.map((cpu) => cpu.describe()).join('\n'));
  process.exit(code);
}

guestConsole.onText = () => {
  if (options.until === undefined || !guestConsole.text.includes(options.until)) return;
  guestConsole.onText = () => {};
  if (options.input === undefined) setImmediate(() => end('found', 0));
  else guestConsole.type(options.input.replaceAll('\\n', '\n'));
};
machine.onEnd = ({ cause, exitCode, error }) => {
  if (error !== undefined) console.error(error);
  end(`ended (${cause})`, exitCode);
};
setTimeout(() => end('time is up', 1), Number(options.seconds) * 1000);
if (options.sample !== undefined) {
  setInterval(() => {
    report('sample');
    console.error(machine.cpus[0]?.describe());
  }, Number(options.sample) * 1000);
}
console.error(`built in ${(performance.now() - started).toFixed(0)} ms`);
machine.start();
