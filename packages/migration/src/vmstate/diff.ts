/**
 * Compares two dumps of tables: can a stream of the old side be loaded by the new one, and one of the new side by the
 * old one? What QEMU's vmstate-static-checker.py asks, judged by what is on the wire.
 */
import { bytesOf, isUnused, type WireItem, wireItems } from './diff-layout.ts';
import type { DumpedDescription, DumpedDevice, VmStateDump } from './dump.ts';

/**
 * `safe`: streams go both ways. `needs-subsection`: new state was added so that old streams load, but an old side
 * cannot do without it; in a subsection it could. `breaking`: old streams do not load any more.
 */
export type VmStateVerdict = 'safe' | 'needs-subsection' | 'breaking';

/** Which part of a version number a change must raise. `minor` of a `needs-subsection` is meant with the subsection. */
export type VmStateSemver = 'patch' | 'minor' | 'major';

/** One difference between two tables. */
export interface VmStateChange {
  readonly verdict: VmStateVerdict;
  readonly semver: VmStateSemver;
  /** Table or subsection, and the field in it if there is one: `serial/recv_fifo.data`. */
  readonly place: string;
  /** What has changed, what follows, and what to do about it. */
  readonly message: string;
}

/** What has changed of one device type. */
export interface VmStateDeviceDiff {
  readonly device: string;
  /** The worst of the changes. */
  readonly verdict: VmStateVerdict;
  readonly semver: VmStateSemver;
  readonly changes: readonly VmStateChange[];
}

/** What has changed between two dumps. */
export interface VmStateDiff {
  readonly verdict: VmStateVerdict;
  readonly semver: VmStateSemver;
  /** What makes the comparison itself doubtful. */
  readonly warnings: readonly string[];
  /** Devices with changes only. */
  readonly devices: readonly VmStateDeviceDiff[];
}

/** How to compare. */
export interface VmStateDiffOptions {
  /** Fields whose new name is known to mean the same: new name by `table.old-name`. */
  readonly renamed?: ReadonlyMap<string, string>;
}

/** Compares the dump of an older side with that of a newer one. */
export function diffVmState(before: VmStateDump, after: VmStateDump, options: VmStateDiffOptions = {}): VmStateDiff {
  const [old, now] = [devicesOf(before), devicesOf(after)];
  const comparison: Comparison = {
    renamed: options.renamed ?? new Map(),
    countsKnown: hasCounts(old) && hasCounts(now),
  };
  const taken = new Set<string>();
  const devices: VmStateDeviceDiff[] = [];
  for (const [type, device] of old) {
    const successor = now.has(type) ? type : movedTo(device, old, now);
    if (successor !== undefined) taken.add(successor);
    devices.push(deviceDiff(type, [...compareDevice(type, device, successor, now, comparison)]));
  }
  for (const type of now.keys()) {
    if (!taken.has(type)) devices.push(deviceDiff(type, [change('safe', 'minor', type, 'is a new device type')]));
  }
  const warnings: string[] = [];
  const [a, b] = [before.vmschkmachine.Name, after.vmschkmachine.Name];
  if (a !== b) warnings.push(`the machine types differ: ${a} and ${b}`);
  if (!comparison.countsKnown && (hasCounts(old) || hasCounts(now)))
    warnings.push('one of the dumps does not tell the sizes of arrays (QEMU before 10); they are not compared');
  const changed = devices.filter(({ changes }) => changes.length > 0);
  return { ...worst(changed), warnings, devices: changed };
}

interface Comparison {
  readonly renamed: ReadonlyMap<string, string>;
  readonly countsKnown: boolean;
}

type Devices = ReadonlyMap<string, DumpedDevice>;

function devicesOf(dump: VmStateDump): Devices {
  const entries = Object.entries(dump).filter(([type]) => type !== 'vmschkmachine');
  // Every entry but the machine's is a device.
  return new Map(entries as [string, DumpedDevice][]);
}

function hasCounts(devices: Devices): boolean {
  return /"num":/.test(JSON.stringify([...devices.values()]));
}

/** A type that is only called something else: the section's name, which is on the wire, has stayed. */
function movedTo(device: DumpedDevice, old: Devices, now: Devices): string | undefined {
  const name = device.Description.name;
  return [...now.keys()].find((type) => !old.has(type) && now.get(type)!.Description.name === name);
}

function* compareDevice(
  type: string,
  device: DumpedDevice,
  successor: string | undefined,
  now: Devices,
  comparison: Comparison,
): Generator<VmStateChange> {
  if (successor === undefined) {
    yield change('breaking', 'major', type, 'does not exist any more: a machine with this device cannot come over');
    return;
  }
  if (successor !== type)
    yield change('safe', 'patch', type, `is called ${successor} now; the section's name has stayed`);
  const [a, b] = [device.Description, now.get(successor)!.Description];
  if (a.name === b.name) yield* compareDescriptions(a, b, comparison);
  else
    yield change(
      'breaking',
      'major',
      a.name,
      `the section is called '${b.name}' now: old streams name one that does not exist`,
    );
}

/** Tables or subsections, whose versions are on the wire. */
function* compareDescriptions(
  a: DumpedDescription,
  b: DumpedDescription,
  comparison: Comparison,
): Generator<VmStateChange> {
  yield* compareVersions(a, b);
  yield* compareItems(a, b, comparison);
  yield* compareSubsections(a.name, a.Subsections ?? [], b.Subsections ?? [], comparison);
}

function* compareVersions(a: DumpedDescription, b: DumpedDescription): Generator<VmStateChange> {
  const raised = `version ${a.version_id} -> ${b.version_id}`;
  if (b.version_id < a.version_id)
    yield change('breaking', 'major', a.name, `${raised}: the new side refuses streams of a newer version`);
  else if (b.minimum_version_id > a.version_id)
    yield change(
      'breaking',
      'major',
      a.name,
      `the oldest version that loads is ${b.minimum_version_id} now, old streams have ${a.version_id}`,
    );
  else if (b.version_id > a.version_id)
    yield change(
      'needs-subsection',
      'minor',
      a.name,
      `${raised}: an old side refuses the new version; put what was added into a subsection instead`,
    );
  else if (b.minimum_version_id > a.minimum_version_id)
    yield change(
      'safe',
      'patch',
      a.name,
      `versions before ${b.minimum_version_id} do not load any more; the other side has ${a.version_id}`,
    );
}

function* compareSubsections(
  place: string,
  a: readonly DumpedDescription[],
  b: readonly DumpedDescription[],
  comparison: Comparison,
): Generator<VmStateChange> {
  for (const subsection of a) {
    const other = b.find(({ name }) => name === subsection.name);
    if (other !== undefined) yield* compareDescriptions(subsection, other, comparison);
    else
      yield change('breaking', 'major', place, `subsection '${subsection.name}' is gone: streams with it do not load`);
  }
  for (const name of new Set(b.map((subsection) => subsection.name))) {
    if (!a.some((subsection) => subsection.name === name))
      yield change(
        'safe',
        'minor',
        place,
        `subsection '${name}' is new: an old side loads streams that do not need it`,
      );
  }
}

/** Walks both layouts side by side. */
function* compareItems(a: DumpedDescription, b: DumpedDescription, comparison: Comparison): Generator<VmStateChange> {
  const place = ({ path }: WireItem) => `${a.name}.${path}`;
  const old = [...wireItems(a)];
  const paths = new Set(old.map(({ path }) => path));
  const all = wireItems(b);
  const later = (item: WireItem) => item.since > a.version_id && !item.conditional && !paths.has(item.path);
  for (const item of all.filter(later))
    yield change(
      'needs-subsection',
      'minor',
      place(item),
      `is new since version ${item.since}; in a subsection an old side could do without it`,
    );
  const now = all.filter((item) => !later(item));
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    const [o, n] = [old[i], now[j]];
    if (o !== undefined && n !== undefined && sameItem(o, n, a.name, comparison)) {
      yield* compareItem(o, n, a, comparison);
      i++;
      j++;
      continue;
    }
    const reuse = o !== undefined && n !== undefined ? bytesReused(old, i, now, j) : undefined;
    if (reuse !== undefined) {
      yield* reuse.changes.map(({ verdict, item, message }) =>
        change(verdict, verdict === 'safe' ? 'patch' : 'minor', place(item), message),
      );
      [i, j] = [reuse.i, reuse.j];
      continue;
    }
    const { removed, added } = gap(old, i, now, j, a.name, comparison);
    for (const item of old.slice(i, i + removed)) yield gone(item, place(item));
    for (const item of now.slice(j, j + added)) yield inserted(item, place(item));
    if (removed === 0 && added === 0) {
      yield renamed(o!, n!, place(o!));
      i++;
      j++;
    }
    i += removed;
    j += added;
  }
}

function sameItem(o: WireItem, n: WireItem, table: string, { renamed }: Comparison): boolean {
  if ((o.subsections === undefined) !== (n.subsections === undefined)) return false;
  if (isUnused(o) && isUnused(n)) return o.size === n.size;
  return o.name === n.name || renamed.get(`${table}.${o.name}`) === n.name;
}

function* compareItem(
  o: WireItem,
  n: WireItem,
  table: DumpedDescription,
  comparison: Comparison,
): Generator<VmStateChange> {
  const place = `${table.name}.${o.path}`;
  if (o.subsections !== undefined) {
    yield* compareSubsections(place, o.subsections, n.subsections ?? [], comparison);
    return;
  }
  // A size that only the device knows cannot be compared.
  if (o.size !== n.size && o.size !== 0 && n.size !== 0)
    yield change('breaking', 'major', place, `${sizeText(o)} -> ${sizeText(n)}`);
  else if (comparison.countsKnown && o.elements !== n.elements)
    yield change('breaking', 'major', place, `${o.elements} elements -> ${n.elements}`);
  if (n.since > table.version_id && !n.conditional)
    yield change(
      'breaking',
      'major',
      place,
      `is read since version ${n.since} now, and streams of version ${table.version_id} have it`,
    );
  if (o.conditional && !n.conditional)
    yield change('breaking', 'major', place, 'is always read now; old streams have it only under a condition');
  else if (!o.conditional && n.conditional)
    yield change(
      'needs-subsection',
      'minor',
      place,
      'depends on a condition now, which must hold for streams of an old side; a subsection is told on the wire',
    );
}

/** Items on either side until the two agree again; none when the two items have only different names. */
function gap(
  old: readonly WireItem[],
  i: number,
  now: readonly WireItem[],
  j: number,
  table: string,
  comparison: Comparison,
): { readonly removed: number; readonly added: number } {
  const [o, n] = [old[i], now[j]];
  if (o === undefined) return { removed: 0, added: now.length - j };
  if (n === undefined) return { removed: old.length - i, added: 0 };
  const added = now.slice(j).findIndex((item) => sameItem(o, item, table, comparison));
  const removed = old.slice(i).findIndex((item) => sameItem(item, n, table, comparison));
  if (added < 0 && removed < 0) return { removed: 0, added: 0 };
  return added >= 0 && (removed < 0 || added <= removed) ? { removed: 0, added } : { removed, added: 0 };
}

function gone(item: WireItem, place: string): VmStateChange {
  if (item.subsections !== undefined)
    return change('breaking', 'major', place, `the subsections of ${item.name} are not read any more`);
  return change(
    'breaking',
    'major',
    place,
    `is gone: everything behind it is misread; leave ${sizeText(item)} unused in its place`,
  );
}

function inserted(item: WireItem, place: string): VmStateChange {
  if (item.subsections !== undefined)
    return change(
      'safe',
      'minor',
      place,
      `${item.name} has subsections now: an old side loads streams that do not need them`,
    );
  if (item.conditional)
    return change(
      'needs-subsection',
      'minor',
      place,
      'is new under a condition, which must fail for streams of an old side; a subsection is told on the wire',
    );
  return change('breaking', 'major', place, 'is new, and old streams do not have it: put it into a subsection');
}

function renamed(o: WireItem, n: WireItem, place: string): VmStateChange {
  const same = bytesOf(o) !== undefined && bytesOf(o) === bytesOf(n);
  if (!same) return change('breaking', 'major', place, `has become ${n.path}: ${sizeText(o)} -> ${sizeText(n)}`);
  return change(
    'breaking',
    'major',
    place,
    `stands where ${n.path} is now, with as many bytes: if only the name has changed, say so`,
  );
}

interface Reuse {
  readonly changes: readonly { readonly verdict: VmStateVerdict; readonly item: WireItem; readonly message: string }[];
  /** Where both sides go on. */
  readonly i: number;
  readonly j: number;
}

/** Fields that became unused bytes, or took such bytes, in a way that leaves everything behind them in its place. */
function bytesReused(old: readonly WireItem[], i: number, now: readonly WireItem[], j: number): Reuse | undefined {
  const [o, n] = [old[i]!, now[j]!];
  if (!isUnused(o) && !isUnused(n)) return undefined;
  const changes: Reuse['changes'][number][] = [];
  let [left, right] = [0, 0];
  let [a, b] = [i, j];
  do {
    const [from, list] = left <= right ? ([a, old] as const) : ([b, now] as const);
    const item = list[from];
    const bytes = item === undefined || item.conditional || item.subsections !== undefined ? undefined : bytesOf(item);
    if (item === undefined || bytes === undefined) return undefined;
    if (list === old) {
      left += bytes;
      a++;
      if (!isUnused(item)) changes.push({ verdict: 'safe', item, message: 'is unused now; an old side gets zeros' });
    } else {
      right += bytes;
      b++;
      if (!isUnused(item))
        changes.push({
          verdict: 'needs-subsection',
          item,
          message: 'takes bytes that were unused: from an old side they are zero',
        });
    }
  } while (left !== right);
  // Fields on both sides at once are a replacement, not a use of bytes that nobody reads.
  const both = changes.some(({ verdict }) => verdict === 'safe') && changes.some(({ verdict }) => verdict !== 'safe');
  return both ? undefined : { changes, i: a, j: b };
}

function sizeText({ size, elements }: WireItem): string {
  if (size === 0) return 'a size that only the device knows';
  return elements === undefined || elements === 1 ? `${size} bytes` : `${elements} times ${size} bytes`;
}

function change(verdict: VmStateVerdict, semver: VmStateSemver, place: string, message: string): VmStateChange {
  return { verdict, semver, place, message };
}

const VERDICTS: readonly VmStateVerdict[] = ['safe', 'needs-subsection', 'breaking'];
const SEMVERS: readonly VmStateSemver[] = ['patch', 'minor', 'major'];

function worst(of: readonly { readonly verdict: VmStateVerdict; readonly semver: VmStateSemver }[]) {
  const verdict = VERDICTS[Math.max(0, ...of.map((one) => VERDICTS.indexOf(one.verdict)))]!;
  const semver = SEMVERS[Math.max(0, ...of.map((one) => SEMVERS.indexOf(one.semver)))]!;
  return { verdict, semver };
}

function deviceDiff(device: string, changes: readonly VmStateChange[]): VmStateDeviceDiff {
  return { device, ...worst(changes), changes };
}
