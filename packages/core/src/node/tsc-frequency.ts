import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';

/** The rate of the host's timestamp counter and where it was read. */
export interface TscFrequency {
  readonly hz: number;
  readonly source: 'sysfs' | 'kernel-log' | 'cpuinfo' | 'model-name' | 'default';
}

/** What is looked at; replaced in tests. */
export interface TscSources {
  /** Content of `/sys/devices/system/cpu/cpu0/tsc_freq_khz`, where the kernel has it. */
  sysfs(): string | undefined;
  /** Records of the kernel's log from its start, as `/dev/kmsg` gives them. */
  kernelLog(): Iterable<string>;
  /** Content of `/proc/cpuinfo`. */
  cpuinfo(): string | undefined;
}

/** The guest's rate where the host's is unknown. A QEMU at the other end of a migration would run it at its own. */
const DEFAULT_HZ = 1_000_000_000;
/** The kernel measures its counter in the first seconds; later records need not be read. */
const BOOT_US = 15_000_000;

/**
 * Finds the rate of the host's timestamp counter: the kernel's own figure, else the clock of a virtual machine with a
 * constant counter, else the nominal rate in the model's name, else 1 GHz.
 */
export function hostTscFrequency(sources: TscSources = linuxSources): TscFrequency {
  const khz = Number(sources.sysfs() ?? Number.NaN);
  if (khz > 0) return { hz: Math.round(khz * 1000), source: 'sysfs' };
  const logged = fromKernelLog(sources.kernelLog());
  if (logged !== undefined) return { hz: logged, source: 'kernel-log' };
  const cpuinfo = sources.cpuinfo() ?? '';
  const flags = (/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? '').split(' ');
  // On real hardware the current clock moves with the load; in a virtual machine the kernel prints the counter's rate.
  const mhz = Number(/^cpu MHz\s*:\s*([0-9.]+)$/m.exec(cpuinfo)?.[1]);
  if (flags.includes('hypervisor') && flags.includes('constant_tsc') && mhz > 0) {
    return { hz: Math.round(mhz * 1e6), source: 'cpuinfo' };
  }
  const nominal = Number(/^model name\s*:.*@ ([0-9.]+)GHz/m.exec(cpuinfo)?.[1]);
  if (nominal > 0) return { hz: Math.round(nominal * 1e9), source: 'model-name' };
  return { hz: DEFAULT_HZ, source: 'default' };
}

/** The refined figure when the kernel made one, else its first measurement. */
function fromKernelLog(records: Iterable<string>): number | undefined {
  let detected: number | undefined;
  for (const record of records) {
    // "priority,sequence,microseconds,flags;text"
    if (Number(record.split(',', 3)[2]) > BOOT_US) break;
    const refined = /Refined TSC clocksource calibration: ([0-9.]+) MHz/.exec(record);
    if (refined !== null) return Math.round(Number(refined[1]) * 1e6);
    const first = /tsc: Detected ([0-9.]+) MHz (TSC|processor)/.exec(record);
    // "TSC" comes after "processor" where the two differ.
    if (first !== null) detected = Math.round(Number(first[1]) * 1e6);
  }
  return detected;
}

const linuxSources: TscSources = {
  sysfs: () => readOptional('/sys/devices/system/cpu/cpu0/tsc_freq_khz'),
  kernelLog: readKernelLog,
  cpuinfo: () => readOptional('/proc/cpuinfo'),
};

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function* readKernelLog(): Generator<string> {
  let fd: number;
  try {
    fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return;
  }
  try {
    const record = Buffer.alloc(8192);
    for (;;) {
      let length: number;
      try {
        length = readSync(fd, record);
      } catch (error) {
        // A record was overwritten while we read (EPIPE): go on with the next. Anything else is the end.
        if ((error as NodeJS.ErrnoException).code === 'EPIPE') continue;
        return;
      }
      if (length === 0) return;
      yield record.toString('latin1', 0, length);
    }
  } finally {
    closeSync(fd);
  }
}
