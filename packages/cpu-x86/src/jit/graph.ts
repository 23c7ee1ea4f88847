/** A directed graph of blocks; block 0 is the entry. */
export interface FlowGraph {
  readonly count: number;
  /** Successors of a block. */
  successors(block: number): readonly number[];
  /** Takes an edge out. */
  cut(from: number, to: number): void;
}

/** Order and nesting of a reducible graph. */
export interface FlowOrder {
  /** Reachable blocks in reverse postorder. */
  readonly order: readonly number[];
  /** Position in `order`, -1 when not reachable. */
  readonly position: Int32Array;
  /** Immediate dominator; the entry's is itself. */
  readonly idom: Int32Array;
  /** Targets of backward edges. */
  readonly headers: ReadonlySet<number>;
  /** Blocks with more than one forward predecessor. */
  readonly merges: ReadonlySet<number>;
  /** Blocks immediately dominated by each. */
  readonly children: readonly (readonly number[])[];
}

/**
 * Orders a graph for structured code. Edges that make it irreducible are cut: a backward edge to a block that does not
 * dominate its source (Cooper, Harvey and Kennedy's dominators; Ramsey's "Beyond Relooper" wants the rest).
 */
export function orderOf(g: FlowGraph): FlowOrder {
  for (;;) {
    const order = postorder(g).reverse();
    const position = new Int32Array(g.count).fill(-1);
    order.forEach((b, i) => {
      position[b] = i;
    });
    const predecessors: number[][] = Array.from({ length: g.count }, () => []);
    for (const b of order) for (const s of g.successors(b)) predecessors[s]!.push(b);
    const idom = dominators(order, position, predecessors);
    let irreducible = false;
    for (const b of order) {
      for (const s of [...g.successors(b)]) {
        if (position[s]! <= position[b]! && !dominates(idom, position, s, b)) {
          g.cut(b, s);
          irreducible = true;
        }
      }
    }
    if (irreducible) continue;
    const headers = new Set<number>();
    const merges = new Set<number>();
    for (const b of order) {
      const forward = new Set<number>();
      let edges = 0;
      for (const p of predecessors[b]!) {
        if (position[p]! >= position[b]!) headers.add(b);
        else {
          forward.add(p);
          edges++;
        }
      }
      if (edges > 1) merges.add(b);
    }
    const children: number[][] = Array.from({ length: g.count }, () => []);
    for (const b of order) if (b !== 0) children[idom[b]!]!.push(b);
    return { order, position, idom, headers, merges, children };
  }
}

/** Blocks of the natural loops of an ordered graph: those that lead back to a header without leaving its loop. */
export function blocksInLoops(
  { order, position }: FlowOrder,
  successors: (block: number) => readonly number[],
): ReadonlySet<number> {
  const predecessors = new Map<number, number[]>();
  for (const b of order) for (const s of successors(b)) predecessors.set(s, [...(predecessors.get(s) ?? []), b]);
  const found = new Set<number>();
  for (const b of order) {
    for (const header of successors(b)) {
      if (position[header]! > position[b]!) continue;
      const loop = new Set([header]);
      const todo = [b];
      for (let x = todo.pop(); x !== undefined; x = todo.pop()) {
        if (loop.has(x)) continue;
        loop.add(x);
        todo.push(...(predecessors.get(x) ?? []));
      }
      for (const x of loop) found.add(x);
    }
  }
  return found;
}

function postorder(g: FlowGraph): number[] {
  const out: number[] = [];
  const seen = new Uint8Array(g.count);
  const stack: [block: number, next: number][] = [[0, 0]];
  seen[0] = 1;
  for (let top = stack[0]; top !== undefined; top = stack[stack.length - 1]) {
    const s = g.successors(top[0])[top[1]++];
    if (s === undefined) {
      out.push(top[0]);
      stack.pop();
    } else if (seen[s] === 0) {
      seen[s] = 1;
      stack.push([s, 0]);
    }
  }
  return out;
}

function dominators(order: readonly number[], position: Int32Array, predecessors: readonly number[][]): Int32Array {
  const idom = new Int32Array(position.length).fill(-1);
  idom[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (const b of order) {
      if (b === 0) continue;
      let best = -1;
      for (const p of predecessors[b]!) {
        if (idom[p] === -1) continue;
        best = best === -1 ? p : intersect(idom, position, best, p);
      }
      if (best !== idom[b]) {
        idom[b] = best;
        changed = true;
      }
    }
  }
  return idom;
}

function intersect(idom: Int32Array, position: Int32Array, a: number, b: number): number {
  let x = a;
  let y = b;
  while (x !== y) {
    while (position[x]! > position[y]!) x = idom[x]!;
    while (position[y]! > position[x]!) y = idom[y]!;
  }
  return x;
}

/** Whether every path to `b` goes through `a`. */
function dominates(idom: Int32Array, position: Int32Array, a: number, b: number): boolean {
  let x = b;
  while (position[x]! > position[a]!) x = idom[x]!;
  return x === a;
}
