/** Compares two answers of `query-qmp-schema`: what a client of the second would miss in the first. */

interface Member {
  readonly name: string;
  readonly type: string;
  readonly default?: unknown;
}

/** An entry of the answer. */
export interface Entry {
  readonly name: string;
  readonly 'meta-type': string;
  readonly 'arg-type'?: string;
  readonly 'ret-type'?: string;
  readonly 'element-type'?: string;
  readonly 'allow-oob'?: boolean;
  readonly members?: readonly Member[];
  readonly values?: readonly string[];
  readonly tag?: string;
  readonly variants?: readonly { readonly case: string; readonly type: string }[];
}

/** Who makes a value: the client (arguments) or the server (results and events). */
type Maker = 'client' | 'server';

class Schema {
  readonly #entries: ReadonlyMap<string, Entry>;

  constructor(entries: readonly Entry[]) {
    this.#entries = new Map(entries.map((entry) => [key(entry), entry]));
  }

  named(kind: 'command' | 'event'): readonly Entry[] {
    return [...this.#entries.values()].filter((entry) => entry['meta-type'] === kind);
  }

  find(kind: 'command' | 'event', name: string): Entry | undefined {
    return this.#entries.get(`${kind} ${name}`);
  }

  type(name: string): Entry {
    return this.#entries.get(`type ${name}`)!;
  }
}

function key({ name, 'meta-type': kind }: Entry): string {
  return `${kind === 'command' || kind === 'event' ? kind : 'type'} ${name}`;
}

/**
 * Differences of commands and events that both have, one line each:
 * - of arguments: what `theirs` takes and `ours` does not, or the other way round;
 * - of results and events: what `theirs` always tells and `ours` does not, and what `ours` tells and `theirs` never does.
 */
export function compareSchemas(ours: readonly Entry[], theirs: readonly Entry[]): string[] {
  const comparison = new Comparison(new Schema(ours), new Schema(theirs));
  return comparison.run();
}

class Comparison {
  readonly #ours: Schema;
  readonly #theirs: Schema;
  readonly #lines: string[] = [];
  readonly #seen = new Set<string>();

  constructor(ours: Schema, theirs: Schema) {
    this.#ours = ours;
    this.#theirs = theirs;
  }

  run(): string[] {
    for (const kind of ['command', 'event'] as const)
      for (const mine of this.#ours.named(kind)) {
        const other = this.#theirs.find(kind, mine.name);
        if (other === undefined) {
          if (!mine.name.startsWith('x-')) this.#lines.push(`${mine.name}: only we have it`);
          continue;
        }
        this.#types(mine.name, mine['arg-type']!, other['arg-type']!, kind === 'command' ? 'client' : 'server');
        if (kind === 'event') continue;
        this.#types(`${mine.name} ->`, mine['ret-type']!, other['ret-type']!, 'server');
        if (mine['allow-oob'] !== other['allow-oob']) this.#lines.push(`${mine.name}: allow-oob differs`);
      }
    return this.#lines;
  }

  #types(where: string, mine: string, other: string, maker: Maker): void {
    const seen = `${mine} ${other} ${maker}`;
    if (this.#seen.has(seen)) return;
    this.#seen.add(seen);
    const [a, b] = [this.#ours.type(mine), this.#theirs.type(other)];
    const [kindA, kindB] = [a['meta-type'], b['meta-type']];
    if (kindA !== kindB) {
      this.#lines.push(`${where}: ${kindName(a)} here, ${kindName(b)} there`);
      return;
    }
    switch (kindA) {
      case 'builtin':
        if (a.name !== b.name) this.#lines.push(`${where}: ${a.name} here, ${b.name} there`);
        break;
      case 'array':
        this.#types(`${where}[]`, a['element-type']!, b['element-type']!, maker);
        break;
      case 'enum':
        this.#values(where, a.values!, b.values!, maker);
        break;
      case 'object':
        this.#members(where, a, b, maker);
        break;
      case 'alternate':
        this.#choices(where, a.members!, b.members!, maker);
        break;
    }
  }

  /** A value that only one side has matters when the client sends it and we do not take it, or we send it and nobody knows it. */
  #values(where: string, mine: readonly string[], others: readonly string[], maker: Maker): void {
    const more = mine.filter((value) => !others.includes(value));
    if (more.length > 0) this.#lines.push(`${where}: values only here: ${more.join(', ')}`);
    const less = others.filter((value) => !mine.includes(value));
    if (maker === 'client' && less.length > 0) this.#lines.push(`${where}: values only there: ${less.join(', ')}`);
  }

  #members(where: string, a: Entry, b: Entry, maker: Maker): void {
    const [mine, others] = [byName(a.members), byName(b.members)];
    for (const [name, member] of mine) {
      const other = others.get(name);
      if (other === undefined) this.#lines.push(`${where}.${name}: only here`);
      else {
        this.#types(`${where}.${name}`, member.type, other.type, maker);
        const [optional, otherOptional] = ['default' in member, 'default' in other];
        if (maker === 'client' ? !optional && otherOptional : optional && !otherOptional)
          this.#lines.push(`${where}.${name}: ${optional ? 'optional' : 'required'} here, not there`);
      }
    }
    for (const [name, other] of others)
      if (!mine.has(name) && (maker === 'client' || !('default' in other)))
        this.#lines.push(`${where}.${name}: only there`);
    this.#variants(where, a, b, maker);
  }

  #variants(where: string, a: Entry, b: Entry, maker: Maker): void {
    const cases = new Map((b.variants ?? []).map((variant) => [variant.case, variant.type]));
    for (const variant of a.variants ?? []) {
      const other = cases.get(variant.case);
      if (other !== undefined) this.#types(`${where}(${variant.case})`, variant.type, other, maker);
    }
  }

  #choices(where: string, mine: readonly Member[], others: readonly Member[], maker: Maker): void {
    for (const choice of mine) {
      const kind = kindName(this.#ours.type(choice.type));
      const other = others.find(({ type }) => kindName(this.#theirs.type(type)) === kind);
      if (other === undefined) this.#lines.push(`${where}: may be ${kind} only here`);
      else this.#types(where, choice.type, other.type, maker);
    }
  }
}

function byName(members: readonly Member[] = []): Map<string, Member> {
  return new Map(members.map((member) => [member.name, member]));
}

function kindName(entry: Entry): string {
  return entry['meta-type'] === 'builtin' ? entry.name : entry['meta-type'];
}
