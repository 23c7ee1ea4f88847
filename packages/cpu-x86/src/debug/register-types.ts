import type { DebugType } from '@sterna/core';

/** Flags of one bit each, in the order of their names; an empty name leaves a bit out. */
function flags(id: string, size: number, bits: Readonly<Record<string, number>>): DebugType {
  return {
    kind: 'flags',
    id,
    size,
    fields: Object.entries(bits).map(([name, bit]) => ({ name, start: bit, end: bit })),
  };
}

/** EFLAGS. */
export const EFLAGS_TYPE: DebugType = flags('i386_eflags', 4, {
  CF: 0,
  PF: 2,
  AF: 4,
  ZF: 6,
  SF: 7,
  TF: 8,
  IF: 9,
  DF: 10,
  OF: 11,
  NT: 14,
  RF: 16,
  VM: 17,
  AC: 18,
  VIF: 19,
  VIP: 20,
  ID: 21,
});

/** MXCSR. */
export const MXCSR_TYPE: DebugType = flags('i386_mxcsr', 4, {
  IE: 0,
  DE: 1,
  ZE: 2,
  OE: 3,
  UE: 4,
  PE: 5,
  DAZ: 6,
  IM: 7,
  DM: 8,
  ZM: 9,
  OM: 10,
  UM: 11,
  PM: 12,
  FZ: 15,
});

/** Views of an XMM register; gdb's names. */
export const VECTOR_TYPES: readonly DebugType[] = [
  { kind: 'vector', id: 'v4f', element: 'ieee_single', count: 4 },
  { kind: 'vector', id: 'v2d', element: 'ieee_double', count: 2 },
  { kind: 'vector', id: 'v16i8', element: 'int8', count: 16 },
  { kind: 'vector', id: 'v8i16', element: 'int16', count: 8 },
  { kind: 'vector', id: 'v4i32', element: 'int32', count: 4 },
  { kind: 'vector', id: 'v2i64', element: 'int64', count: 2 },
  {
    kind: 'union',
    id: 'vec128',
    fields: [
      { name: 'v4_float', type: 'v4f' },
      { name: 'v2_double', type: 'v2d' },
      { name: 'v16_int8', type: 'v16i8' },
      { name: 'v8_int16', type: 'v8i16' },
      { name: 'v4_int32', type: 'v4i32' },
      { name: 'v2_int64', type: 'v2i64' },
      { name: 'uint128', type: 'uint128' },
    ],
  },
];

/** Control registers, each with `bits` / 8 bytes. */
export function systemTypes(bits: 32 | 64): readonly DebugType[] {
  const size = bits / 8;
  return [
    flags('x86_cr0', size, { PE: 0, MP: 1, EM: 2, TS: 3, ET: 4, NE: 5, WP: 16, AM: 18, NW: 29, CD: 30, PG: 31 }),
    flags('x86_cr4', size, {
      VME: 0,
      PVI: 1,
      TSD: 2,
      DE: 3,
      PSE: 4,
      PAE: 5,
      MCE: 6,
      PGE: 7,
      PCE: 8,
      OSFXSR: 9,
      OSXMMEXCPT: 10,
      UMIP: 11,
      FSGSBASE: 16,
      PCIDE: 17,
      OSXSAVE: 18,
      SMEP: 20,
      SMAP: 21,
    }),
    flags('x86_efer', size, { SCE: 0, LME: 8, LMA: 10, NXE: 11, SVME: 12, FFXSR: 14 }),
  ];
}
