/**
 * `npm run bench -- [--only boot,boot-busy,loops,programs64,programs32,dirty,pauses,memory,instrument] [--runs N] [--quick] [--json]
 * [--programs NAME,...] [--peers qemu-new,qemu,v86,native] [--kernel32 686|amd64] [--qemu PROGRAM]`:
 * figures of Sterna as ratios to its peers, measured in interleaved runs.
 *
 * Loops and programs are compared with the newest QEMU that is installed, the system's own QEMU, v86 (32-bit only) and
 * the host's processor; ratios above 1 mean that Sterna is faster. `--programs` also chooses loops by name.
 * What is only there by name, `boot-busy`, `dirty`, `pauses`, `memory` and `instrument`, is not part of the default.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hostTscFrequency } from '@sterna/core/node';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { type BootGuest, type BootResult, type BootSubject, bootOnce } from './boot.ts';
import { measureDirtyTracking } from './dirty.ts';
import { measureInstruments } from './instrument.ts';
import { fetchKernelI386 } from './kernel-i386.ts';
import { machinesOf, measureLoops, measurePrograms, type Plan, type Row } from './measure.ts';
import { measureMemory } from './memory.ts';
import { measurePauses } from './pauses.ts';
import { type Requirement, requirement, requirements, requirementTable, speedTable } from './report.ts';
import { type Comparison, compare, table } from './stats.ts';
import { COMMANDS, systemSubject, versionOf } from './subjects.ts';
import { buildSuite, suiteInitrd } from './suite.ts';
import { fetchV86 } from './v86.ts';

const DEFAULT = ['boot', 'loops', 'programs64', 'programs32'];
const { values } = parseArgs({
  options: {
    runs: { type: 'string' },
    only: { type: 'string', default: DEFAULT.join(',') },
    programs: { type: 'string' },
    peers: { type: 'string' },
    kernel32: { type: 'string', default: '686' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    qemu: { type: 'string' },
  },
});
const runs = Number(values.runs ?? (values.quick ? 1 : 3));
const wanted = (name: string): boolean => values.only.split(',').includes(name);
const say = (text: string): void => void (values.json || console.error(text));

const output: Record<string, unknown> = {};
const texts: string[] = [];
const rows: Row[] = [];
const found: Requirement[] = [];

const boots = wanted('boot') || wanted('boot-busy') ? await measureBoots() : undefined;

const peers = (values.peers ?? 'qemu-new,qemu,v86,native').split(',').filter((id) => {
  const isThere = id === 'v86' || id === 'native' || versionOf(id) !== undefined;
  if (!isThere) say(`${id} is not installed and left out; see tools/peers/install.sh`);
  return isThere;
});
const tcg = peers.includes('qemu-new') ? 'qemu-new' : 'qemu';
const plan: Plan = {
  subjects: ['sterna', ...peers],
  runs,
  names: values.programs?.split(','),
  scale: values.quick ? 0.2 : 1,
  say,
};
const systems = plan.subjects.filter((id) => !['v86', 'native'].includes(id)).map((id) => systemSubject(id));
const v86 = peers.includes('v86') ? await fetchV86() : undefined;
for (const { id, name } of systems) texts.push(`${id}: ${name}`);
if (v86 !== undefined) texts.push(`v86: ${v86.version} on Node ${process.versions.node}`);

if (wanted('loops')) rows.push(...(await measureLoops(plan, v86)));
if (wanted('programs64')) {
  const suite = buildSuite(64);
  const { kernel } = await fetchLinuxGuest();
  const guest = { kernel: kernel.path, initrd: suiteInitrd([suite]), bits: 64 as const };
  rows.push(...(await measurePrograms(plan, suite, machinesOf(systems, guest))));
}
if (wanted('programs32')) {
  const suite = buildSuite(32);
  const kernel = v86 !== undefined || values.kernel32 === '686' ? fetchKernelI386() : '';
  const narrow = { kernel, initrd: suiteInitrd([suite]), bits: 32 as const };
  const guest =
    values.kernel32 === '686'
      ? narrow
      : {
          kernel: (await fetchLinuxGuest()).kernel.path,
          initrd: suiteInitrd([buildSuite(64), suite]),
          bits: 64 as const,
        };
  texts.push(`32-bit programs run on Debian's ${values.kernel32} kernel; v86 always runs the 686 one`);
  const machines = {
    ...machinesOf(systems, guest),
    ...(v86 === undefined
      ? {}
      : { v86: () => v86.start({ ...narrow, append: 'console=ttyS0 quiet nowatchdog', memory: 256 }) }),
  };
  rows.push(...(await measurePrograms(plan, suite, machines)));
}
for (const bits of [64, 32] as const)
  for (const [title, isProgram] of [
    ['loops', false],
    ['programs', true],
  ] as const) {
    const members = rows.filter((row) => row.bits === bits && (row.steady['sterna'] !== undefined) === isProgram);
    if (members.length > 0) texts.push('', speedTable(`${title}, ${bits} bits`, members, peers));
  }
found.push(...requirements(rows, tcg));
if (boots !== undefined)
  found.push(requirement("5. boot of a Debian kernel to its shell, times TCG's time", 'most', 1.6, boots));
if (wanted('dirty')) {
  const dirty = await measureDirtyTracking(runs, plan.names, say);
  output['dirtyTracking'] = dirty;
  found.push(requirement('6. dirty tracking on, per cent of processor time', 'most', 3, dirty.cost * 100));
}
if (wanted('pauses')) {
  const pauses = await measurePauses(plan.names);
  output['translation'] = pauses;
  const { ranSeconds, waitedSeconds, othersSeconds } = pauses;
  texts.push(
    '',
    pauses.report.trimEnd(),
    `the guest's thread ran ${ranSeconds.toFixed(2)} s and waited ${waitedSeconds.toFixed(2)} s for a processor; ` +
      `other programs of the host took ${othersSeconds.toFixed(2)} s`,
  );
  found.push(requirement('6. longest pause from translation, ms', 'most', 10, pauses.longestMs));
}
if (wanted('instrument')) {
  const cost = await measureInstruments(runs, plan.names, say);
  output['instruments'] = cost;
  texts.push('', `every instruction and access told of: ${cost.traced.toFixed(0)} times the processor time`);
  found.push(
    requirement('instrumentation: times the processor time while blocks are counted', 'most', 3, cost.counted),
  );
}
if (wanted('memory')) {
  const memory = await measureMemory();
  output['memory'] = memory;
  const { afterEach, booted, peak } = memory;
  texts.push(
    '',
    `MiB after each of ${afterEach.length} boots in one process: ${afterEach.join(' ')}; one boot's peak: ${peak.toFixed(0)}`,
  );
  found.push(requirement('7. MiB of a process with a booted guest of 256 MiB', 'most', 606, booted));
  // The first boots leave compiled code behind.
  found.push(
    requirement('7. MiB more after the last boot than after the third', 'most', 30, afterEach.at(-1)! - afterEach[2]!),
  );
}
if (found.length > 0) texts.push('', requirementTable(found));
console.log(values.json ? JSON.stringify({ ...output, rows, requirements: found }) : texts.join('\n'));

/** Boots of the Debian guest to its shell, and the same with another process on the host; gives the quiet ratio. */
async function measureBoots(): Promise<number | undefined> {
  const sterna: BootSubject = {
    name: 'Sterna',
    command: [join(import.meta.dirname, '../node_modules/.bin/sterna-system-x86_64')],
  };
  const program = values.qemu ?? COMMANDS[versionOf('qemu-new') === undefined ? 'qemu' : 'qemu-new']![0]!;
  const version = /version ([\d.]+)/.exec(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
  if (version === undefined) throw new Error(`${program} is not installed; tools/peers/install.sh installs it`);
  const qemu: BootSubject = { name: `QEMU ${version} TCG`, command: [program, '-accel', 'tcg'] };
  const comparisons: Comparison[] = [];
  let peerHangs = 0;

  // QEMU's microvm may hang in the guest's TSC calibration when its host is busy; such a boot is repeated and counted.
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

  async function boots(figure: string, guest: BootGuest, peerGuest: BootGuest = guest): Promise<void> {
    const ours: number[] = [];
    const peer: number[] = [];
    for (let i = 0; i < runs; i++) {
      ours.push((await bootOnce(sterna, guest)).seconds);
      peer.push((await bootPeer(peerGuest)).seconds);
      say(`${figure} ${i + 1}/${runs}: ${ours.at(-1)!.toFixed(2)} s, QEMU ${peer.at(-1)!.toFixed(2)} s`);
    }
    comparisons.push(compare(figure, 's', qemu.name, ours, peer));
  }

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
  output['boots'] = comparisons;
  output['peerHangs'] = peerHangs;
  texts.push(
    table(comparisons),
    ...(peerHangs > 0 ? [`boots of the peer that hung and were repeated: ${peerHangs}`] : []),
    '',
  );
  return wanted('boot') ? comparisons[0]!.ratio : undefined;
}
