/**
 * `npm run bench [-- --runs N] [--only boot,boot-busy,loops] [--json]`: figures of Sterna as ratios to QEMU TCG,
 * measured in interleaved pairs of one run.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hostTscFrequency } from '@sterna/core/node';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { type BootGuest, type BootResult, type BootSubject, bootOnce } from './boot.ts';
import { LOOPS, runLoop } from './loops.ts';
import { type Comparison, compare, table } from './stats.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    qemu: { type: 'string', default: 'qemu-system-x86_64' },
  },
});
const runs = Number(values.runs);
const wanted = (name: string): boolean => values.only === undefined || values.only.split(',').includes(name);

const sterna: BootSubject = {
  name: 'Sterna',
  command: [join(import.meta.dirname, '../node_modules/.bin/sterna-system-x86_64')],
};
const qemuVersion = /version (\S+)/.exec(spawnSync(values.qemu, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
if (qemuVersion === undefined) {
  console.error(`bench: ${values.qemu} is not installed; tools/peers/install.sh installs it`);
  process.exit(2);
}
const qemu: BootSubject = { name: `QEMU ${qemuVersion} TCG`, command: [values.qemu, '-accel', 'tcg'] };
const rows: Comparison[] = [];
const say = (text: string): void => void (values.json || console.error(text));

/** QEMU's microvm may hang in the guest's TSC calibration when its host is busy; such a boot is repeated and counted. */
async function bootPeer(guest: BootGuest): Promise<BootResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await bootOnce(qemu, guest, [], 30);
    } catch (error) {
      if (attempt === 5) throw error;
      peerHangs++;
      say(`QEMU did not boot within 30 s, attempt ${attempt}`);
    }
  }
}
let peerHangs = 0;

async function boots(figure: string, guest: BootGuest, peerGuest: BootGuest = guest): Promise<void> {
  const ours: number[] = [];
  const peer: number[] = [];
  for (let i = 0; i < runs; i++) {
    ours.push((await bootOnce(sterna, guest)).seconds);
    peer.push((await bootPeer(peerGuest)).seconds);
    say(`${figure} ${i + 1}/${runs}: ${ours.at(-1)!.toFixed(2)} s, QEMU ${peer.at(-1)!.toFixed(2)} s`);
  }
  rows.push(compare(figure, 's', qemu.name, ours, peer));
}

if (wanted('boot') || wanted('boot-busy')) {
  const { kernel, initrd } = await fetchLinuxGuest();
  const guest = { kernel: kernel.path, initrd, readyLine: 'STERNA-SHELL-READY', append: 'console=ttyS0' };
  if (wanted('boot')) await boots('boot Debian kernel to shell', guest);
  if (wanted('boot-busy')) {
    // The other core is kept busy, as on a shared machine.
    const burner = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    try {
      // Without the TSC's rate on its command line the peer's guest nearly always hangs here; ours has to find it.
      const khz = Math.round(hostTscFrequency().hz / 1000);
      await boots('boot while another process burns a core', guest, {
        ...guest,
        append: `${guest.append} tsc_early_khz=${khz}`,
      });
    } finally {
      burner.kill('SIGKILL');
    }
  }
}
if (wanted('loops')) {
  for (const loop of LOOPS) {
    const ours: number[] = [];
    const peer: number[] = [];
    for (let i = 0; i < runs; i++) {
      ours.push(await runLoop(sterna, loop));
      peer.push(await runLoop(qemu, loop));
    }
    say(`${loop.name}: ${ours.at(-1)!.toFixed(0)} million instructions/s, QEMU ${peer.at(-1)!.toFixed(0)}`);
    rows.push(compare(loop.name, 'M insn/s', qemu.name, ours, peer, false));
  }
}
console.log(values.json ? JSON.stringify({ rows, peerHangs }) : table(rows));
if (!values.json && peerHangs > 0) console.log(`boots of the peer that hung and were repeated: ${peerHangs}`);
