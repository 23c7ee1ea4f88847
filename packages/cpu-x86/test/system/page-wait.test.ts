import { PAGE_CLEAN_MIGRATION, PAGE_MISSING, PAGE_PROTECTED } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { AT, Box } from './box.ts';

const PAGE_WAIT = 3;
const HALT = 1;

/** Flags byte of a guest page. */
function flagsAt(b: Box, address: number): number {
  return b.memory.flagIndex(b.memory.blocks[0]!.hostOffset + address);
}
function mark(b: Box, address: number, flag: number): void {
  const at = flagsAt(b, address);
  b.memory.u8[at] = b.memory.u8[at]! | flag;
}
function clear(b: Box, address: number, flag: number): void {
  const at = flagsAt(b, address);
  b.memory.u8[at] = b.memory.u8[at]! & ~flag;
}

describe('pages that have not arrived', () => {
  test.for([
    ['a table of the walk', AT.pml4 + 0x3000],
    ['the interrupt descriptor table', AT.idt],
    ['the descriptor table', AT.gdt],
    ['the TSS', AT.tss],
    ['the stack of level 0', AT.stack0 - 8],
    ['the handler', AT.handlers],
  ] as const)('%s: the exception is delivered when it is there', ([, page]) => {
    const b = new Box();
    b.enter('user64');
    b.code('user64', 'mov eax, 1\nud2');
    mark(b, page, PAGE_MISSING);
    expect(b.run()).toBe(PAGE_WAIT);
    const rip = b.state.getBig('rip');
    const sp = b.reg(4);
    expect(b.run()).toBe(PAGE_WAIT);
    expect([b.state.getBig('rip'), b.reg(4)]).toEqual([rip, sp]);
    clear(b, page, PAGE_MISSING);
    expect(b.run()).toBe(HALT);
    expect([b.stoppedAt, b.reg(0)]).toEqual([6, 1n]);
    expect(b.read64(Number(b.reg(4)))).toBe(BigInt(AT.code + 5));
  });

  test.for([
    ['the interrupt descriptor table', AT.idt],
    ['the stack of level 0', AT.stack0 - 8],
  ] as const)('%s: an acknowledged interrupt is not lost', ([, page]) => {
    let acknowledged = 0;
    const b = new Box({
      acknowledge: () => {
        acknowledged++;
        b.state.set('irqLine', 0);
        return 0x50;
      },
    });
    b.enter('user64');
    b.code('user64', 'nop\nnop\nnop');
    b.flags(0x202);
    b.state.set('irqLine', 1);
    mark(b, page, PAGE_MISSING);
    expect(b.run()).toBe(PAGE_WAIT);
    expect(b.run()).toBe(PAGE_WAIT);
    clear(b, page, PAGE_MISSING);
    expect(b.run()).toBe(HALT);
    expect([b.stoppedAt, acknowledged]).toEqual([0x50, 1]);
    expect(b.read64(Number(b.reg(4)))).toBe(BigInt(AT.code));
  });

  test('a protected page waits for writes only', () => {
    const b = new Box();
    b.enter('long');
    b.code('long', `mov rax, [${AT.data}]\nmov [${AT.data}], rax\nhlt`);
    mark(b, AT.data, PAGE_PROTECTED);
    expect(b.run()).toBe(PAGE_WAIT);
    expect(b.state.getBig('rip')).toBe(BigInt(AT.code + 8));
    clear(b, AT.data, PAGE_PROTECTED);
    expect(b.run()).toBe(HALT);
  });

  test('setting A in a protected page table waits', () => {
    const b = new Box();
    b.enter('long');
    b.code('long', `mov rax, [${AT.data}]\nhlt`);
    b.write64(b.pte(AT.data), BigInt(AT.data) | 3n);
    // entries of the code itself are accessed already
    for (const at of [AT.code, AT.idt, AT.stack0]) b.write64(b.pte(at), BigInt(at) | 0x67n);
    for (const at of [AT.pml4, AT.pml4 + 0x1000, AT.pml4 + 0x2000]) b.write64(at, b.read64(at) | 0x20n);
    mark(b, AT.pml4 + 0x3000, PAGE_PROTECTED);
    expect(b.run()).toBe(PAGE_WAIT);
    expect(b.read64(b.pte(AT.data))).toBe(BigInt(AT.data) | 3n);
    clear(b, AT.pml4 + 0x3000, PAGE_PROTECTED);
    expect(b.run()).toBe(HALT);
    expect(b.read64(b.pte(AT.data))).toBe(BigInt(AT.data) | 0x23n);
  });
});

test('what the processor writes itself is seen by migration', () => {
  const b = new Box();
  b.enter('user64');
  b.code('user64', `mov [${AT.data}], rax\nud2`);
  b.write64(b.pte(AT.data), BigInt(AT.data) | 7n);
  const pages = [AT.stack0 - 8, AT.pml4 + 0x3000, AT.data];
  for (const page of pages) mark(b, page, PAGE_CLEAN_MIGRATION);
  expect(b.run()).toBe(HALT);
  for (const page of pages) expect(b.memory.u8[flagsAt(b, page)]! & PAGE_CLEAN_MIGRATION).toBe(0);
});
