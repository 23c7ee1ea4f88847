import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderOf } from '../../src/jit/graph.ts';

/** Successors by block; block 0 is the entry. */
type Edges = number[][];

const graphs = fc
  .integer({ min: 1, max: 9 })
  .chain((count) =>
    fc.array(fc.uniqueArray(fc.nat(count - 1), { maxLength: 3 }), { minLength: count, maxLength: count }),
  );

/** Blocks that can be reached from the entry without going through `without`. */
function reachable(edges: Edges, without = -1): Set<number> {
  const seen = new Set<number>();
  const todo = without === 0 ? [] : [0];
  for (let b = todo.pop(); b !== undefined; b = todo.pop()) {
    if (seen.has(b)) continue;
    seen.add(b);
    todo.push(...edges[b]!.filter((s) => s !== without));
  }
  return seen;
}

/** a is on every path to b. */
function dominates(edges: Edges, a: number, b: number): boolean {
  return a === b || !reachable(edges, a).has(b);
}

function ordered(given: Edges) {
  const edges = given.map((list) => [...list]);
  let cuts = 0;
  const order = orderOf({
    count: edges.length,
    successors: (b) => edges[b]!,
    cut: (from, to) => {
      edges[from] = edges[from]!.filter((s) => s !== to);
      cuts++;
    },
  });
  return { order, edges, cuts };
}

describe('order of a graph', () => {
  it('has the reachable blocks, each after those that dominate it', () => {
    fc.assert(
      fc.property(graphs, (given) => {
        const { order, edges } = ordered(given);
        expect(new Set(order.order)).toEqual(reachable(edges));
        expect(order.order[0]).toBe(0);
        order.order.forEach((b, i) => {
          expect(order.position[b]).toBe(i);
        });
        for (const b of order.order) {
          if (b === 0) continue;
          const strict = order.order.filter((a) => a !== b && dominates(edges, a, b));
          // the immediate dominator is the one that all others dominate
          const immediate = strict.find((a) => strict.every((other) => dominates(edges, other, a)));
          expect(order.idom[b]).toBe(immediate);
          expect(order.children[immediate!]).toContain(b);
        }
        expect(order.children.flat()).toHaveLength(order.order.length - 1);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves backward edges to dominators only, and names their targets and the merges', () => {
    fc.assert(
      fc.property(graphs, (given) => {
        const { order, edges } = ordered(given);
        const headers = new Set<number>();
        const forward = new Map<number, number>();
        for (const from of order.order) {
          for (const to of edges[from]!) {
            if (order.position[to]! > order.position[from]!) forward.set(to, (forward.get(to) ?? 0) + 1);
            else {
              expect(dominates(edges, to, from)).toBe(true);
              headers.add(to);
            }
          }
        }
        expect(order.headers).toEqual(headers);
        expect(order.merges).toEqual(new Set([...forward].filter(([, n]) => n > 1).map(([b]) => b)));
      }),
      { numRuns: 300 },
    );
  });

  it('cuts nothing of a loop, and one edge of a loop with two entries', () => {
    expect(ordered([[1], [2, 3], [1], []]).cuts).toBe(0);
    expect(ordered([[1, 2], [2], [1]]).cuts).toBe(1);
  });
});
