import {
  type CodeCounter,
  type CodeTracer,
  type CountedInstruction,
  type CpuInstrumentation,
  definePlugin,
  type GuestInstruction,
} from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { hotBlocksReport } from '../src/hot-blocks.ts';
import plugin, { blocksOf, Cache, CacheModel, ExecutionLog } from '../src/index.ts';
import { instructionMixReport } from '../src/instruction-mix.ts';

const insn = (address: number, name: string, executions: number, transfers = false): CountedInstruction => ({
  address: BigInt(address),
  length: 4,
  name,
  transfers,
  executions,
});
/** A function that is called five times and loops twenty times, and another program at the same address. */
const CODE = [
  insn(0x100, 'mov', 5),
  insn(0x104, 'add', 100),
  insn(0x108, 'jcc', 100, true),
  insn(0x10c, 'mov', 5),
  insn(0x110, 'ret', 5, true),
  insn(0x104, 'sub', 7),
];
const counter = (code: readonly CountedInstruction[]): CodeCounter => ({
  read: () => code,
  [Symbol.dispose]: () => {},
});

describe('blocks', () => {
  it('end at transfers and where the count changes', () => {
    expect(blocksOf(CODE).map((b) => [Number(b.address), b.instructions.length, b.executions])).toEqual([
      [0x104, 2, 100],
      [0x10c, 2, 5],
      [0x104, 1, 7],
      [0x100, 1, 5],
    ]);
    expect(blocksOf([])).toEqual([]);
  });

  it('are listed with their share of what was executed', () => {
    expect(hotBlocksReport(counter(CODE), 1)).toBe(
      '4 blocks, 222 instructions executed\nblock  instructions  executions    share\n0x104             2         100  90.09 %\n',
    );
  });
});

it('the mix has each kind of instruction once', () => {
  expect(instructionMixReport(counter(CODE), 2)).toBe(
    '5 kinds of instructions, 222 executed\ninstruction  places  executions    share\nadd               1         100  45.05 %\njcc               1         100  45.05 %\n',
  );
});

/** An instrumentation that tells when it is told to. */
class Fake implements CpuInstrumentation {
  tracer: CodeTracer | undefined;
  count(): CodeCounter {
    return counter([]);
  }
  trace(tracer: CodeTracer): Disposable {
    this.tracer = tracer;
    return {
      [Symbol.dispose]: () => {
        this.tracer = undefined;
      },
    };
  }
  run(...events: (GuestInstruction | readonly [low: number, high: number, bytes: number, isWrite: boolean])[]): void {
    for (const event of events) {
      if ('address' in event) this.tracer?.instruction(event, 0);
      else this.tracer?.access?.(...event, 0);
    }
  }
}

describe('the execution log', () => {
  const options = { first: 0x104n, last: 0x110n, skip: 1, limit: 2, accesses: true };
  it('has what lies in its range, with accesses, up to its limit', () => {
    const fake = new Fake();
    let text = '';
    const log = new ExecutionLog(options, (more) => {
      text += more;
    });
    log.begin(fake);
    const [a, b, c] = CODE as [CountedInstruction, CountedInstruction, CountedInstruction];
    fake.run(a, [1, 0, 8, false], b, [2, 0, 8, true], b, [0x10, 0xffff_8000, 4, true], [4, 0, 2, false], a, c, b, c);
    expect(fake.tracer).toBeUndefined();
    expect(text).toBe('0 0x104 add store 0xffff800000000010 4 load 0x4 2\n0 0x108 jcc\n');
    log[Symbol.dispose]();
  });
  it('is flushed at any time, and goes on', () => {
    const fake = new Fake();
    const pieces: string[] = [];
    const log = new ExecutionLog({ ...options, skip: 0, limit: 9, accesses: false }, (more) => void pieces.push(more));
    log.begin(fake);
    expect(fake.tracer!.access).toBeUndefined();
    fake.run(CODE[1]!);
    log.flush();
    fake.run(CODE[2]!);
    log.flush();
    log.flush();
    expect(pieces).toEqual(['0 0x104 add\n', '0 0x108 jcc\n']);
  });
});

describe('caches', () => {
  it('replace what was used longest ago, by sets', () => {
    const cache = new Cache(512, 2, 64);
    const at = (set: number, tag: number): number => (tag * 4 + set) * 64;
    expect(
      [at(1, 0), at(1, 1), at(1, 0), at(1, 2), at(1, 0), at(1, 1), at(2, 0)].map((a) => cache.access(a, 4)),
    ).toEqual([1, 1, 0, 1, 0, 1, 1]);
    expect([cache.accesses, cache.misses]).toEqual([7, 5]);
  });
  it('count lines that an access touches', () => {
    const cache = new Cache(512, 2, 64);
    expect(cache.access(60, 8)).toBe(2);
    expect(cache.access(0, 1)).toBe(0);
  });
  it.each([
    [100, 1, 64],
    [512, 0, 64],
    [64, 2, 64],
  ])('of %i bytes with %i ways of %i are refused', (bytes, ways, line) => {
    expect(() => new Cache(bytes, ways, line)).toThrow(RangeError);
  });
  it('show who misses', () => {
    const fake = new Fake();
    using model = new CacheModel(new Cache(512, 2, 64), new Cache(512, 2, 64));
    model.begin(fake);
    fake.run(CODE[0]!, [0, 0, 4, false], CODE[1]!, [0, 0xffff_8000, 4, true], [8, 0, 4, false]);
    expect(model.report(1)).toBe(
      'cache         accesses  misses     rate\ninstructions         2       1  50.00 %\ndata                 3       2  66.67 %\n' +
        'address  instruction  fetch misses  data misses\n0x100            mov             1            1\n',
    );
  });
});

it('the plugin has four instruments', () => {
  expect(plugin).toEqual(definePlugin({ name: 'instrumentation', devices: plugin.devices }));
  expect(plugin.devices.map(({ descriptor }) => descriptor.name)).toEqual([
    'hot-blocks',
    'instruction-mix',
    'execution-log',
    'cache-model',
  ]);
});
