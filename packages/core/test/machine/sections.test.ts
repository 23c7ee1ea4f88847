import { describe, expect, it } from 'vitest';
import { checkSections, type SavableSection } from '../../src/machine/sections.ts';

const section = (idstr: string, instanceId: number, owner: string, aliasId?: number): SavableSection => ({
  idstr,
  instanceId,
  ...(aliasId === undefined ? {} : { aliasId }),
  vmstate: 'stateless',
  live: undefined,
  state: {},
  owner,
});

describe('sections of the stream', () => {
  it('are told apart by name and instance', () => {
    checkSections([section('a', 0, 'x'), section('a', 1, 'y', 7), section('b', 0, 'z', 0)]);
  });

  it.each([
    ['instances', [section('a', 3, 'first'), section('a', 3, 'second')]],
    ['an instance and an alias', [section('a', 3, 'first', 9), section('a', 9, 'second')]],
  ])('two equal %s are refused, naming both owners', (_, sections) => {
    expect(() => checkSections(sections)).toThrow(
      expect.objectContaining({ code: 'STERNA_ERR_DUPLICATE_ID', message: expect.stringMatching(/first and second/) }),
    );
  });
});
