import { describe, expect, it } from 'vitest';
import { BlockerList } from '../../src/machine/blockers.ts';
import type { MigrationNotice } from '../../src/machine/migration-services.ts';
import { NotifierList } from '../../src/machine/notifiers.ts';

describe('migration blockers', () => {
  it('are kept per mode; one object is on the lists of several and leaves all of them', () => {
    const list = new BlockerList();
    const all = list.add('everything');
    const some = list.add('two modes', ['normal', 'cpr-exec']);
    list.add('transfer', ['cpr-transfer']);
    expect(list.reasons('normal')).toEqual(['everything', 'two modes']);
    expect(list.reasons('cpr-exec')).toEqual(['everything', 'two modes']);
    expect(list.reasons('cpr-transfer')).toEqual(['everything', 'transfer']);
    some[Symbol.dispose]();
    some[Symbol.dispose]();
    expect(list.reasons('normal')).toEqual(['everything']);
    expect(list.reasons('cpr-exec')).toEqual(['everything']);
    all[Symbol.dispose]();
    expect(list.reasons('cpr-reboot')).toEqual([]);
  });

  it('-only-migratable refuses those of normal migration, and allows the others and short operations', () => {
    const list = new BlockerList(true);
    expect(() => list.add('no')).toThrow('disallowing migration blocker (--only-migratable) for: no');
    expect(() => list.add('no', ['normal'])).toThrow(expect.objectContaining({ code: 'STERNA_ERR_MIGRATION_BLOCKER' }));
    list.add('yes', ['cpr-transfer']);
    list.addInternal('dump');
    expect(list.reasons('normal')).toEqual(['dump']);
  });

  it('are refused while a migration or snapshot is under way', () => {
    const list = new BlockerList();
    list.busy = () => true;
    expect(() => list.addInternal('late')).toThrow('(migration/snapshot in progress) for: late');
    expect(list.reasons('normal')).toEqual([]);
  });
});

describe('migration notifiers', () => {
  const setup = { type: 'setup', mode: 'normal' } as const;
  const ignore = () => {};

  it('are awaited in order, per mode, until disposed', async () => {
    const seen: string[] = [];
    const list = new NotifierList();
    const first = list.add('slow', async ({ type }) => {
      await Promise.resolve();
      seen.push(`slow ${type}`);
    });
    list.add('quick', ({ type }) => void seen.push(`quick ${type}`));
    list.add('cpr', ({ mode }) => void seen.push(mode), ['cpr-exec']);
    await list.notify(setup, ignore);
    first[Symbol.dispose]();
    await list.notify({ type: 'done', mode: 'cpr-exec' }, ignore);
    await list.notify({ type: 'done', mode: 'normal' }, ignore);
    expect(seen).toEqual(['slow setup', 'quick setup', 'cpr-exec', 'quick done']);
  });

  it('may refuse a migration, and nothing after it', async () => {
    const list = new NotifierList();
    const seen: MigrationNotice[] = [];
    const reports: string[] = [];
    list.add('refusing', () => {
      throw new Error('not now');
    });
    list.add('later', (notice) => void seen.push(notice));
    await expect(list.notify(setup, ignore)).rejects.toThrow('not now');
    expect(seen).toEqual([]);
    await list.notify({ type: 'failed', mode: 'normal' }, (text) => reports.push(text));
    expect(reports).toEqual(['refusing, told that the migration is failed: not now']);
    expect(seen).toEqual([{ type: 'failed', mode: 'normal' }]);
  });
});
