import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CACHE, type Emulator, type Run, runEmulator } from './programs.ts';

/** The suite's place and the version that the list below was made for. */
export const KVM_UNIT_TESTS = {
  url: 'https://gitlab.com/kvm-unit-tests/kvm-unit-tests.git',
  commit: '1da1819e49fc4938985edca67df669099b4c87a7',
  folder: join(CACHE, 'kvm-unit-tests'),
  environment: 'STERNA_KVM_UNIT_TESTS',
} as const;

/** One program of the suite and how it is run. */
export interface UnitTest {
  /** Name in the table; the program is `x86/<file>.flat`. */
  readonly name: string;
  readonly file: string;
  /** `-cpu`. As the suite's own list has it, with features by name that `max` leaves out. */
  readonly cpu: string;
  readonly args: readonly string[];
  /** Lines of the environment that the program gets as its initial RAM disk. */
  readonly environment?: string;
  readonly seconds: number;
  /** Counts among those that run on microvm without KVM and nesting. */
  readonly counted: boolean;
}

/** Verdict on a run. */
export type Verdict = 'pass' | 'fail' | 'skip' | 'abort' | 'reset' | 'timeout';

const SECONDS = 60;
const LONG = 300;

const plain = (file: string, cpu = 'max', seconds = SECONDS): UnitTest => ({
  name: file,
  file,
  cpu,
  args: [],
  seconds,
  counted: true,
});

const extra = (name: string, test: Partial<UnitTest> & { readonly file: string }): UnitTest => ({
  cpu: 'max',
  args: [],
  seconds: SECONDS,
  counted: false,
  ...test,
  name,
});

/** Firmware that ticks: SeaBIOS of a PC, where Debian's packages put it. */
const PC_BIOS = '/usr/share/seabios/bios.bin';

/**
 * What runs on `microvm` without KVM and without nesting. Left out of the suite's programs: those for KVM's and Hyper-V's
 * own interfaces (asyncpf, hyperv_*, kvmclock_test, pmu*, vmware_backdoors, svm*, vmx), those for devices that the machine
 * has not (hpet_read_test, intel-iommu, s3) and those that ask for KVM (cet, lam).
 */
export const UNIT_TESTS: readonly UnitTest[] = [
  // with all features of max the permutations take ten times as long
  plain('access_test', 'qemu64', LONG),
  plain('apic', 'max,tsc-deadline=on'),
  plain('debug'),
  plain('dummy'),
  plain('emulator'),
  plain('eventinj'),
  plain('hypercall'),
  plain('idt_test'),
  plain('init'),
  plain('ioapic'),
  plain('la57'),
  plain('memory'),
  plain('msr'),
  plain('pcid', 'qemu64,pcid=on,invpcid=on'),
  plain('pks'),
  plain('pku'),
  plain('rdpru'),
  plain('realmode'),
  plain('rmap_chain'),
  plain('setjmp'),
  plain('sieve', 'max', LONG),
  plain('smap'),
  plain('smptest'),
  plain('syscall'),
  plain('tsc'),
  plain('tsc_adjust', 'max,tsc-adjust=on'),
  plain('tscdeadline_latency', 'max,tsc-deadline=on'),
  plain('tsx-ctrl'),
  plain('umip', 'qemu64,umip=on'),
  plain('vmexit'),
  plain('xsave'),
  extra('apic, no test device', { file: 'apic', cpu: 'max,tsc-deadline=on', environment: 'TEST_DEVICE=0' }),
  extra('apic, xAPIC only', { file: 'apic', cpu: 'qemu64,tsc-deadline=on', environment: 'TEST_DEVICE=0' }),
  extra('apic, 2 CPUs', {
    file: 'apic',
    cpu: 'max,tsc-deadline=on',
    args: ['-smp', '2'],
    environment: 'TEST_DEVICE=0',
    seconds: LONG,
  }),
  extra('ioapic, 4 CPUs', { file: 'ioapic', args: ['-smp', '4'] }),
  extra('smptest, 2 CPUs', { file: 'smptest', args: ['-smp', '2'] }),
  extra('smptest, 3 CPUs', { file: 'smptest', args: ['-smp', '3'] }),
  extra('pcid, without the feature', { file: 'pcid', cpu: 'qemu64,pcid=off,invpcid=off' }),
  extra('msr, qemu64', { file: 'msr', cpu: 'qemu64' }),
  ...(existsSync(PC_BIOS) ? [extra('realmode, PC firmware', { file: 'realmode', args: ['-bios', PC_BIOS] })] : []),
];

/** Tests that do not pass here, each with its reason; every other one must. */
export const NOT_PASSED: Readonly<Record<string, string>> = {
  apic: "calls KVM (VMMCALL) when it sees the test device; without the device's tests it passes",
  hypercall: 'tests the hypercalls of KVM, which are #UD on a processor without a hypervisor',
  init: 'resets by port 0x92, which microvm does not have',
  realmode: "waits for an interrupt that nothing sends: the machine's firmware leaves the 8259 and the timer alone",
  'tsx-ctrl': 'nothing to test: no transactional memory',
  vmexit: 'measures hypercalls of KVM too, and those are #UD',
};

/** Folder with the built suite: the given one, that of the environment variable, or the cache; undefined without one. */
export function unitTestFolder(given?: string): string | undefined {
  const folder = given ?? process.env[KVM_UNIT_TESTS.environment] ?? KVM_UNIT_TESTS.folder;
  return existsSync(join(folder, 'x86/dummy.flat')) ? folder : undefined;
}

/** Result of one test on one emulator. */
export interface UnitResult {
  readonly verdict: Verdict;
  readonly seconds: number;
  /** The program's own counts, or what else says why. */
  readonly detail: string;
  readonly output: string;
}

/** Runs one program of the suite. */
export async function runUnitTest(folder: string, test: UnitTest, emulator: Emulator): Promise<UnitResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'sterna-conformance-'));
  try {
    const disk = join(scratch, 'environment');
    if (test.environment !== undefined) writeFileSync(disk, `${test.environment}\n`);
    const run = await runEmulator(
      emulator,
      [
        ...['-M', 'microvm', '-cpu', test.cpu, '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
        ...['-device', 'pc-testdev', '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4'],
        ...['-kernel', join(folder, 'x86', `${test.file}.flat`)],
        ...(test.environment === undefined ? [] : ['-initrd', disk]),
        ...test.args,
      ],
      { seconds: test.seconds },
    );
    return { verdict: verdictOf(run), seconds: run.seconds, detail: detailOf(run.output), output: run.output };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The exit port makes status 2n + 1 of a program's n: 0 passed, 1 failed, 38 nothing to test, 63 gave up. */
function verdictOf(run: Run): Verdict {
  switch (run.status) {
    case undefined:
      return 'timeout';
    case 1:
      // QEMU's own errors end with 1 too, but then the program has said nothing
      return /^(qemu|sterna)-system[^\n]*: /m.test(run.output) && !run.output.includes('enabling apic')
        ? 'abort'
        : 'pass';
    case 3:
      return 'fail';
    case 77:
      return 'skip';
    case 0:
      return 'reset';
    default:
      return 'abort';
  }
}

function detailOf(output: string): string {
  const summary = /^SUMMARY: (.*?)\r?$/m.exec(output)?.[1];
  if (summary !== undefined) return summary;
  return /^(Unhandled exception .*? at)/m.exec(output)?.[1]?.replace(/ at$/, '') ?? '';
}
