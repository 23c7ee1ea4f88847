/** Compares both sides of a migration before anything moves. */
import { x86FeatureNames } from '@sterna/cpu-x86';
import { sizeText } from '../report/format.ts';
import type { BlockFacts, Finding, FindingLevel, MachineFacts } from './facts.ts';
import { compareWire } from './wire.ts';

/** What the source says of itself, whatever the destination. */
export function checkSource({ blocked, runState }: MachineFacts): Finding[] {
  const findings = blocked.map((reason) => finding('blocker', 'source', reason));
  if (runState === 'inmigrate')
    findings.push(finding('blocker', 'source', 'it waits for an incoming migration itself'));
  if (runState === 'postmigrate') findings.push(finding('blocker', 'source', 'its guest has moved away already'));
  if (runState === 'finish-migrate') findings.push(finding('blocker', 'source', 'its guest is on its way already'));
  return findings;
}

/** All differences that matter between two running sides. */
export function compareMachines(source: MachineFacts, destination: MachineFacts): Finding[] {
  return [
    ...checkSource(source),
    ...compareState(destination),
    ...compareMachineTypes(source, destination),
    ...compareCpus(source, destination),
    ...compareBlocks(source, destination),
    ...compareDevices(source, destination),
    ...compareSettings(source, destination),
    ...compareWire(source, destination.qemu, destination.parameters),
  ];
}

function compareState({ runState, blocked }: MachineFacts): Finding[] {
  const findings: Finding[] = [];
  if (runState !== 'inmigrate')
    findings.push(
      finding(
        'blocker',
        'destination',
        `it is in state ${runState}: it was not started with -incoming, or has a guest`,
      ),
    );
  for (const reason of blocked)
    findings.push(finding('warning', 'destination', `the guest could not move on from there: ${reason}`));
  return findings;
}

function compareMachineTypes(source: MachineFacts, destination: MachineFacts): Finding[] {
  const findings: Finding[] = [];
  const [a, b] = [source.machine, destination.machine];
  if (a !== undefined && b !== undefined && a !== b)
    findings.push(finding('blocker', 'machine', `the source is a ${a}, the destination a ${b}; use -machine ${a}`));
  const none = /^[0-]*$/;
  if (source.uuid !== destination.uuid && !none.test(source.uuid) && !none.test(destination.uuid))
    findings.push(
      finding(
        source.capabilities['validate-uuid'] === true ? 'blocker' : 'warning',
        'uuid',
        `the source has ${source.uuid}, the destination ${destination.uuid}; use -uuid ${source.uuid}`,
      ),
    );
  return findings;
}

function compareCpus(source: MachineFacts, destination: MachineFacts): Finding[] {
  const findings: Finding[] = [];
  if (source.cpus !== destination.cpus)
    findings.push(
      finding(
        'blocker',
        'cpu',
        `the guest has ${count(source.cpus, 'vCPU')}, the destination ${destination.cpus}; use -smp ${source.cpus}`,
      ),
    );
  const missing = featuresWithout(source.features, destination.features);
  const added = featuresWithout(destination.features, source.features);
  // What QEMU's default model shows and Sterna's does not; a guest that uses it is refused when its state comes.
  const harmless = missing.filter((name) => name === 'svm');
  const grave = missing.filter((name) => name !== 'svm');
  if (grave.length > 0)
    findings.push(
      finding(
        'blocker',
        'cpu',
        `the guest was promised ${grave.join(', ')}, the destination has not; use the source's -cpu`,
      ),
    );
  if (harmless.length > 0)
    findings.push(
      finding(
        'warning',
        'cpu',
        `the guest was promised ${harmless.join(', ')}: a guest that uses it is refused; -cpu qemu64,-svm avoids it`,
      ),
    );
  if (added.length > 0)
    findings.push(
      finding('note', 'cpu', `the destination also has ${added.join(', ')}, which the guest does not know`),
    );
  if (source.features === undefined || destination.features === undefined)
    findings.push(finding('note', 'cpu', 'one side does not tell its CPU features: they were not compared'));
  return findings;
}

function featuresWithout(
  has: Readonly<Record<string, number>> | undefined,
  lacks: Readonly<Record<string, number>> | undefined,
): readonly string[] {
  if (has === undefined || lacks === undefined) return [];
  return Object.entries(has).flatMap(([word, bits]) => x86FeatureNames(word, bits & ~(lacks[word] ?? 0)));
}

function compareBlocks(source: MachineFacts, destination: MachineFacts): Finding[] {
  if (source.blocks === undefined || destination.blocks === undefined)
    return [finding('note', 'memory', 'one side does not tell its RAM blocks: they were not compared')];
  const findings: Finding[] = [];
  const there = new Map(destination.blocks.map((block) => [block.name, block]));
  for (const block of source.blocks) {
    const other = there.get(block.name);
    there.delete(block.name);
    if (other === undefined) findings.push(finding('blocker', 'memory', missingBlock(block.name)));
    else if (!fits(block, other, destination)) findings.push(wrongSize(block, other));
  }
  for (const name of there.keys())
    findings.push(
      finding('warning', 'memory', `the destination also has RAM block ${name}, which the source does not send`),
    );
  return findings;
}

/** ACPI's tables are blocks of their own. */
function missingBlock(name: string): string {
  const hint = name.startsWith('/rom@etc/') ? '; use -machine acpi=on' : '';
  return `the destination has no RAM block ${name}${hint}`;
}

/** Sterna takes over the source's size of a firmware; nobody takes more than fits. */
function fits(block: BlockFacts, other: BlockFacts, destination: MachineFacts): boolean {
  if (block.used === other.used) return true;
  if (destination.qemu === undefined && block.name === 'pc.bios') return block.used <= 131072;
  return other.most > other.used && block.used <= other.most;
}

function wrongSize(block: BlockFacts, other: BlockFacts): Finding {
  const sizes = `RAM block ${block.name} has ${sizeText(block.used)} here, ${sizeText(other.used)} there`;
  const hint =
    block.name === 'pc.bios'
      ? `use -bios with a file of ${block.used} bytes`
      : block.name.endsWith('.ram')
        ? `use -m ${block.used / 2 ** 20}`
        : 'use the same options on both sides';
  return finding('blocker', block.name === 'pc.bios' ? 'firmware' : 'memory', `${sizes}; ${hint}`);
}

/** Every vCPU has one: their number is compared as such. */
const OF_CPUS: ReadonlySet<string> = new Set(['cpu', 'cpu_common', 'apic']);

function compareDevices(source: MachineFacts, destination: MachineFacts): Finding[] {
  if (source.devices === undefined || destination.devices === undefined)
    return [finding('note', 'devices', 'one side does not tell its devices: they were not compared')];
  const findings: Finding[] = [];
  for (const name of new Set([...Object.keys(source.devices), ...Object.keys(destination.devices)])) {
    if (OF_CPUS.has(name)) continue;
    const [here, there] = [source.devices[name] ?? 0, destination.devices[name] ?? 0];
    if (here > there)
      findings.push(
        finding(
          'blocker',
          'devices',
          `the guest has ${count(here, name)}, the destination ${there === 0 ? 'none' : there}`,
        ),
      );
    else if (there > here)
      findings.push(
        // QEMU starts a guest whose devices have forgotten everything; Sterna does not.
        finding(
          destination.qemu === undefined ? 'blocker' : 'warning',
          'devices',
          `the destination has ${count(there, name)}, the guest ${here === 0 ? 'none' : here}`,
        ),
      );
  }
  return findings;
}

function count(number: number, name: string): string {
  return number === 1 ? `a ${name}` : `${number} of ${name}`;
}

/** Capabilities that change what both sides do: they must be on for both or for neither. */
const BOTH_SIDES = ['multifd', 'postcopy-ram', 'x-ignore-shared', 'mapped-ram', 'x-colo', 'dirty-bitmaps'];
/** Those that the destination should also have, for what they are worth. */
const BETTER_BOTH = ['switchover-ack', 'return-path', 'validate-uuid'];

function compareSettings(source: MachineFacts, destination: MachineFacts): Finding[] {
  const findings: Finding[] = [];
  const on = (side: MachineFacts, name: string) => side.capabilities[name] === true;
  for (const [names, level] of [
    [BOTH_SIDES, 'blocker'],
    [BETTER_BOTH, 'note'],
  ] as const)
    for (const name of names)
      if (on(source, name) !== on(destination, name))
        findings.push(
          finding(
            level,
            'capabilities',
            `${name} is ${on(source, name) ? 'on' : 'off'} at the source and ${on(destination, name) ? 'on' : 'off'} at the destination`,
          ),
        );
  const shared = on(source, 'multifd') ? ['multifd-channels', 'multifd-compression'] : [];
  for (const name of [...shared, 'tls-creds']) {
    const [a, b] = [source.parameters[name], destination.parameters[name]];
    if (name === 'tls-creds' ? isSet(a) !== isSet(b) : a !== undefined && b !== undefined && a !== b)
      findings.push(
        finding('blocker', 'parameters', `${name} is ${shown(a)} at the source and ${shown(b)} at the destination`),
      );
  }
  return findings;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== '';
}

function shown(value: unknown): string {
  return isSet(value) ? JSON.stringify(value) : 'not set';
}

/** Makes a finding. */
export function finding(level: FindingLevel, about: string, text: string): Finding {
  return { level, about, text };
}
