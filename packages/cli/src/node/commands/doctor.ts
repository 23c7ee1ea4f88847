import { hostTscFrequency } from '@sterna/core/node';
import { firmwareDirectories, firmwareFinder } from '@sterna/machine-microvm/node';
import { VERSION } from '../../version.ts';
import { runtimeDirectory } from '../runtime-directory.ts';
import { type Command, parseOptions, printJson } from './command.ts';

const FIRMWARE = ['qboot.rom', 'bios-microvm.bin', 'linuxboot_dma.bin', 'pvh.bin', 'multiboot_dma.bin'];

/** `sterna doctor`. */
export const doctorCommand: Command = {
  usage: `usage: sterna doctor [--json]

Says what of this host Sterna uses: Node, the timestamp counter's rate, firmware files, the directory for sockets.
`,
  async run(args) {
    const { switches } = parseOptions(args, { json: 'switch' });
    const find = firmwareFinder();
    const tsc = hostTscFrequency();
    const facts = {
      sterna: VERSION,
      node: process.versions.node,
      executable: process.execPath,
      tscHz: tsc.hz,
      tscSource: tsc.source,
      firmware: Object.fromEntries(FIRMWARE.map((name) => [name, find(name) !== undefined])),
      firmwareDirectories: firmwareDirectories(),
      runtimeDirectory: runtimeDirectory(),
    };
    if (switches.has('json')) {
      printJson(facts);
      return 0;
    }
    const missing = FIRMWARE.filter((name) => !facts.firmware[name]);
    const lines = [
      `sterna ${facts.sterna} on Node ${facts.node} (${facts.executable})`,
      `timestamp counter: ${(tsc.hz / 1e6).toFixed(3)} MHz (from ${tsc.source})`,
      `firmware: ${missing.length === 0 ? 'all files found' : `not installed: ${missing.join(', ')}; kernels start without it`}`,
      `sockets of running machines: ${facts.runtimeDirectory}`,
    ];
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    return 0;
  },
};
