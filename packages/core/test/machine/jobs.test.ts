import { expect, test } from 'vitest';
import { JobList } from '../../src/machine/jobs.ts';

function list() {
  const events: string[] = [];
  const jobs = new JobList((id, status) => void events.push(`${id} ${status}`));
  return { jobs, events };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a job that succeeds goes through the statuses of QEMU and stays until it is dismissed', async () => {
  const { jobs, events } = list();
  jobs.start('j', 'snapshot-save', async () => {});
  expect(jobs.list()).toEqual([
    { id: 'j', type: 'snapshot-save', status: 'running', 'current-progress': 0, 'total-progress': 1 },
  ]);
  await settled();
  expect(events).toEqual(['j created', 'j running', 'j waiting', 'j pending', 'j concluded']);
  expect(jobs.list()).toMatchObject([{ status: 'concluded', 'current-progress': 1, 'total-progress': 1 }]);
  jobs.order('j', 'dismiss');
  expect(events.at(-1)).toBe('j null');
  expect(jobs.list()).toEqual([]);
});

test('a job that fails keeps the reason', async () => {
  const { jobs, events } = list();
  jobs.start('j', 't', () => Promise.reject(new Error('no room')));
  await settled();
  expect(events).toEqual(['j created', 'j running', 'j aborting', 'j concluded']);
  expect(jobs.list()).toMatchObject([{ status: 'concluded', error: 'no room' }]);
});

test('a job that is cancelled says so, whatever it failed with', async () => {
  const { jobs } = list();
  jobs.start(
    'j',
    't',
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('x')))),
  );
  jobs.order('j', 'cancel');
  await settled();
  expect(jobs.list()).toMatchObject([{ status: 'concluded', error: 'Operation canceled' }]);
});

test('jobs are listed newest first', async () => {
  const { jobs } = list();
  for (const id of ['a', 'b', 'c']) jobs.start(id, 't', async ({ progress }) => progress(3, 9));
  expect(jobs.list().map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  await settled();
  expect(jobs.list()[0]).toMatchObject({ 'current-progress': 9, 'total-progress': 9 });
});

test('orders that do not fit are refused in the words of QEMU', async () => {
  const { jobs } = list();
  jobs.start('j', 't', async () => {});
  expect(() => jobs.start('j', 't', async () => {})).toThrow("Job ID 'j' already in use");
  expect(() => jobs.start('9j', 't', async () => {})).toThrow("Invalid job ID '9j'");
  expect(() => jobs.order('k', 'dismiss')).toThrow('Job not found');
  expect(() => jobs.order('j', 'dismiss')).toThrow("Job 'j' in state 'running' cannot accept command verb 'dismiss'");
  await settled();
  for (const verb of ['cancel', 'pause', 'resume', 'complete', 'finalize'] as const)
    expect(() => jobs.order('j', verb)).toThrow(`Job 'j' in state 'concluded' cannot accept command verb '${verb}'`);
});
