import { JobList } from '@sterna/core';
import type { SaveOptions, SnapshotInfo, SnapshotOptions } from '@sterna/migration';
import { type HmpContext, QmpSession, runHmp } from '@sterna/qmp';
import { describe, expect, it } from 'vitest';
import { FakeBackend, settle } from './fake-backend.ts';
import { FakeTarget } from './fake-target.ts';

const INFO: SnapshotInfo = {
  id: '1',
  name: 'snap0',
  dateNs: BigInt(new Date(2026, 10, 21, 0, 17, 19).getTime()) * 1_000_000n,
  vmClockNs: 1_227_446_893n,
  vmStateSize: 8_816_944,
};

function start(list: readonly SnapshotInfo[] = [INFO]) {
  const target = new FakeTarget();
  const calls: [what: string, name: string, options: SaveOptions | undefined][] = [];
  const call = (what: string) => async (name: string, options?: SnapshotOptions) => {
    calls.push([what, name, options]);
    if (name === 'bad') throw new Error('no room');
    return INFO;
  };
  Object.assign(target, {
    jobs: new JobList((id, status) => target.emit({ event: 'JOB_STATUS_CHANGE', data: { status, id } })),
    snapshots: { save: call('save'), load: call('load'), remove: call('remove'), list: async () => list },
  });
  const context: HmpContext = { target, cpuIndex: 0 };
  return { target, calls, hmp: (line: string) => runHmp(line, context) };
}

async function session() {
  const { target, calls } = start();
  const backend = new FakeBackend();
  new QmpSession(backend, target);
  backend.send('{"execute":"qmp_capabilities"}');
  await settle();
  backend.text = '';
  const ask = async (execute: string, args: object = {}) => {
    backend.send(JSON.stringify({ execute, arguments: args }));
    await settle();
  };
  return { backend, calls, ask };
}

describe('snapshot jobs', () => {
  it('are started with where and what, and tell their statuses', async () => {
    const { backend, calls, ask } = await session();
    await ask('snapshot-save', { 'job-id': 'j', tag: 's', vmstate: 'd0', devices: ['d0', 'd1'] });
    expect(calls).toEqual([['save', 's', expect.objectContaining({ store: 'd0', devices: ['d0', 'd1'] })]]);
    const statuses = backend.messages.flatMap((message) => {
      const { data } = message as { data?: { status: string; id: string } };
      return data === undefined ? [] : [`${data.id} ${data.status}`];
    });
    expect(statuses).toEqual(['created', 'running', 'waiting', 'pending', 'concluded'].map((status) => `j ${status}`));
    await ask('query-jobs');
    expect(backend.answers.at(-1)).toMatchObject({
      return: [{ id: 'j', type: 'snapshot-save', status: 'concluded', 'current-progress': 1, 'total-progress': 1 }],
    });
    await ask('job-dismiss', { id: 'j' });
    await ask('query-jobs');
    expect(backend.answers.at(-1)).toEqual({ return: [] });
  });

  it('keep their error', async () => {
    const { backend, ask } = await session();
    await ask('snapshot-load', { 'job-id': 'j', tag: 'bad', vmstate: 'd0', devices: ['d0'] });
    await ask('query-jobs');
    expect(backend.answers.at(-1)).toMatchObject({ return: [{ type: 'snapshot-load', error: 'no room' }] });
  });

  it('need their arguments, and snapshot-delete no vmstate', async () => {
    const { backend, calls, ask } = await session();
    await ask('snapshot-save', { 'job-id': 'j', tag: 's', vmstate: 'd0' });
    expect(backend.answers.at(-1)).toMatchObject({ error: { desc: "Parameter 'devices' is missing" } });
    await ask('snapshot-delete', { 'job-id': 'j', tag: 's', devices: ['d0'] });
    expect(calls).toEqual([['remove', 's', expect.objectContaining({ store: undefined, devices: ['d0'] })]]);
  });

  it('take the orders that QEMU takes', async () => {
    const { backend, ask } = await session();
    await ask('job-cancel', { id: 'x' });
    expect(backend.answers.at(-1)).toMatchObject({ error: { class: 'GenericError', desc: 'Job not found' } });
  });
});

describe('the human monitor', () => {
  it('saves under a name, or one made of the date', async () => {
    const { calls, hmp } = start();
    expect(await hmp('savevm s')).toBe('');
    expect(await hmp('savevm')).toBe('');
    expect(calls[0]).toEqual(['save', 's', { overwrite: true }]);
    expect(calls[1]![1]).toMatch(/^vm-\d{14}$/);
  });

  it('loads and deletes', async () => {
    const { calls, hmp } = start();
    await hmp('loadvm s');
    await hmp('delvm s');
    expect(calls.map(([what, name]) => `${what} ${name}`)).toEqual(['load s', 'remove s']);
    expect(await hmp('loadvm')).toBe("Error: 'tag' is missing\r\n");
    expect(await hmp('loadvm bad')).toBe('Error: no room\r\n');
  });

  it('lists as QEMU does', async () => {
    const list = [INFO, { ...INFO, name: 'vm-20261121001744', vmStateSize: 0, icount: 12_345n }];
    expect(await start(list).hmp('info snapshots')).toBe(
      [
        'List of snapshots present on all disks:',
        'ID      TAG               VM_SIZE                DATE        VM_CLOCK     ICOUNT',
        '--      snap0            8.41 MiB 2026-11-21 00:17:19  0000:00:01.227         --',
        '--      vm-20261121001744      0 B 2026-11-21 00:17:19  0000:00:01.227      12345',
        '',
      ].join('\r\n'),
    );
    expect(await start([]).hmp('info snapshots')).toBe('There is no snapshot available.\r\n');
  });

  it('says so where there are none', async () => {
    const context: HmpContext = { target: new FakeTarget(), cpuIndex: 0 };
    expect(await runHmp('savevm', context)).toContain('there are no snapshots here');
  });
});
