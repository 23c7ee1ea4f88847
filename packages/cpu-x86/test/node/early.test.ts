import { beforeAll, describe, expect, it } from 'vitest';
import { warmInterpreter } from '../../src/node/early.ts';
import { prepareInterpreter } from '../../src/node/index.ts';
import { rigWith, runAll } from '../jit/translated.ts';

beforeAll(() => prepareInterpreter());

describe('warming the interpreter', () => {
  it('touches no machine, and may be done again', () => {
    const expected = runAll(rigWith({ threshold: 0 }));
    warmInterpreter();
    warmInterpreter();
    expect(runAll(rigWith({ threshold: 0 }))).toBe(expected);
  });
});
