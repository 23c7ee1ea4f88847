import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CreateHost, createMain } from 'create-sterna-plugin/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sterna-create-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

/** A host whose terminal gives these answers, or that has none. */
function hostOf(answers?: readonly string[]) {
  const asked: string[] = [];
  const written: string[] = [];
  const host: CreateHost = {
    cwd,
    ask:
      answers === undefined
        ? undefined
        : async (question, preset) => {
            const answer = answers[asked.push(question) - 1] ?? '';
            return answer === '' ? preset : answer;
          },
    write: (text) => void written.push(text),
    error: (text) => void written.push(text),
  };
  return { host, asked, text: () => written.join('') };
}

describe('create-sterna-plugin', () => {
  it('writes a plugin and says how to go on', async () => {
    const { host, text } = hostOf();
    expect(await createMain(['blink-led', '--kind', 'device'], host)).toBe(0);
    expect(readdirSync(join(cwd, 'blink-led'))).toContain('package.json');
    expect(text()).toMatch(/cd blink-led\n {2}npm install\n {2}npm test\n$/);
  });

  it('asks on a terminal for what is not given', async () => {
    const { host, asked } = hostOf(['cpu', 'tern-16', 'Counts birds']);
    expect(await createMain([], host)).toBe(0);
    expect(asked[0]).toMatch(/net-backend .* not yet: Sterna has no network layer yet/);
    expect(readFileSync(join(cwd, 'sterna-plugin-tern-16/README.md'), 'utf8')).toMatch(
      /^# sterna-plugin-tern-16\n\nCounts birds\./,
    );
  });

  it.each([
    [['x'], 'which kind?'],
    [['--kind', 'device'], 'which name?'],
    [['x', '--kind', 'net-backend'], "'net-backend' cannot be made"],
    [['a', 'b'], "not also 'b'"],
    [['--colour'], "Unknown option '--colour'"],
    [['X', '--kind', 'device'], "'X' is no name"],
  ])('ends with 2 for %j', async (args, message) => {
    const { host, text } = hostOf();
    expect(await createMain(args, host)).toBe(2);
    expect(text()).toContain(message);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('leaves a folder alone that is not empty, unless told otherwise, and then the files in it', async () => {
    mkdirSync(join(cwd, 'led'));
    writeFileSync(join(cwd, 'led/README.md'), 'mine');
    const { host, text } = hostOf();
    expect(await createMain(['led', '--kind', 'device'], host)).toBe(2);
    expect(text()).toMatch(/is not empty \(it has README\.md\)/);
    expect(await createMain(['led', '--kind', 'device', '--force'], host)).toBe(0);
    expect(readFileSync(join(cwd, 'led/README.md'), 'utf8')).toBe('mine');
    expect(readdirSync(join(cwd, 'led'))).toContain('package.json');
  });
});
