import type { ArmedTimer, DeviceHarness } from '../harness/device-harness.ts';

/** What can be seen of a device from outside, at one moment. */
export interface Observation {
  /** Levels of the interrupt lines. */
  readonly irqs: readonly boolean[];
  readonly timers: readonly ArmedTimer[];
  /** What was written to the character backend since the last look. */
  readonly output: string;
  /** Hash of RAM, which DMA changes; 0 for a device without DMA. */
  readonly ram: number;
  /** Hash of the disk; 0 while nothing was asked of it. */
  readonly disk: number;
}

/** Looks at the device without touching it. */
export function observe(harness: DeviceHarness): Observation {
  const { irqs, timers, ram, disk } = harness;
  return {
    irqs: [...irqs.levels],
    timers,
    output: harness.output(),
    // A device without DMA does not write there, and this is looked at after every access.
    ram: harness.hasDma ? hashOf(ram) : 0,
    disk: disk.requests.length === 0 ? 0 : hashOf(disk.bytes),
  };
}

/** Of the words that are not zero, and their places. */
function hashOf({ buffer, byteOffset, byteLength }: Uint8Array): number {
  const words = new Uint32Array(buffer, byteOffset, byteLength >>> 2);
  let hash = 0x811c_9dc5;
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) hash = Math.imul(hash ^ words[i]! ^ i, 0x0100_0193);
  return hash >>> 0;
}

/** What two observations of the same moment differ in, as a sentence; undefined when in nothing. */
export function observedDifference(a: Observation, b: Observation): string | undefined {
  const line = Array.from({ length: Math.max(a.irqs.length, b.irqs.length) }, (_, i) => i).find(
    (i) => (a.irqs[i] ?? false) !== (b.irqs[i] ?? false),
  );
  if (line !== undefined) return `interrupt line ${line} is ${level(a.irqs[line])}, there ${level(b.irqs[line])}`;
  const timer = timerDifference(a.timers, b.timers);
  if (timer !== undefined) return timer;
  if (a.output !== b.output) return `it wrote ${JSON.stringify(a.output)}, there ${JSON.stringify(b.output)}`;
  if (a.disk !== b.disk) return 'the disk differs';
  return a.ram === b.ram ? undefined : 'RAM differs';
}

/** The first timer that is armed on one side only, or for another time. */
export function timerDifference(a: readonly ArmedTimer[], b: readonly ArmedTimer[]): string | undefined {
  for (const { name, inNs } of a) {
    const other = b.find((timer) => timer.name === name);
    if (other === undefined) return `timer '${name}' fires in ${inNs} ns, there it is not armed`;
    if (other.inNs !== inNs) return `timer '${name}' fires in ${inNs} ns, there in ${other.inNs} ns`;
  }
  const extra = b.find(({ name }) => !a.some((timer) => timer.name === name));
  return extra === undefined ? undefined : `timer '${extra.name}' is not armed, there it fires in ${extra.inNs} ns`;
}

const level = (value: boolean | undefined): string => (value === true ? 'high' : 'low');
