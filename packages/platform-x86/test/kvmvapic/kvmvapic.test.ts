import type { VmStateTable } from '@sterna/core';
import { expect } from 'vitest';
import { kvmvapic } from '../../src/kvmvapic/kvmvapic.ts';
import { loadState, saveState } from '../support/codec.ts';
import { describeGolden } from '../support/golden.ts';

describeGolden('kvm-tpr-opt', ({ payload, version }) => {
  const { descriptor } = kvmvapic;
  const table = descriptor.vmstate as VmStateTable<object>;
  const vapic = descriptor.create({}) as object;
  loadState(table, vapic, payload, version);
  expect(saveState(table, vapic)).toEqual(payload);
  expect(payload.length).toBe(144);
});
