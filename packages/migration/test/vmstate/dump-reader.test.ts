import { SternaError } from '@sterna/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dumpVmState, vmStateDumpText } from '../../src/vmstate/dump.ts';
import { parseVmStateDump } from '../../src/vmstate/dump-reader.ts';
import { counterTable } from '../support/fake-host.ts';

const dump = dumpVmState('m', new Map([['counter', { table: counterTable }]]));
const text = vmStateDumpText(dump);

test('reads back what was dumped', () => {
  expect(parseVmStateDump(text, 'f')).toEqual(dump);
});

test('reads a type whose table is empty, as QEMU writes it', () => {
  const empty = { vmschkmachine: { Name: 'm' }, t: { Name: 't', version_id: 0, minimum_version_id: 0 } };
  expect(parseVmStateDump(JSON.stringify(empty), 'f')['t']).toMatchObject({ Description: { name: 't' } });
});

test.each([
  ['nothing', '', /f: it is no JSON/],
  ['a list', '[]', /the dump is no object/],
  ['another file', '{}', /'vmschkmachine' is missing/],
  ['a negative size', text.replace('"size": 4', '"size": -4'), /size of counter\/counter\.ticks is no count/],
  ['a name that is none', text.replace('"field": "ticks"', '"field": 3'), /field of counter\/counter is no name/],
  ['subsections that are no list', text.replace(/"Subsections": \[[^\]]*\]/, '"Subsections": 1'), /no list|no JSON/],
])('refuses %s', (_what, content, message) => {
  expect(() => parseVmStateDump(content, 'f')).toThrow(message);
});

test('anything at all is read or refused with a code', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      try {
        parseVmStateDump(json, 'f');
      } catch (error) {
        expect(error).toBeInstanceOf(SternaError);
        expect((error as SternaError).code).toBe('STERNA_ERR_IMAGE_FORMAT');
      }
    }),
  );
});
