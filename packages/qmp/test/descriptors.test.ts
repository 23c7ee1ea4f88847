import { QmpSession } from '@sterna/qmp';
import { expect, it } from 'vitest';
import { FakeBackend, settle } from './fake-backend.ts';
import { FakeTarget } from './fake-target.ts';

async function session() {
  const [backend, target] = [new FakeBackend(), new FakeTarget()];
  const qmp = new QmpSession(backend, target);
  backend.send('{"execute":"qmp_capabilities"}');
  await settle();
  const ask = async (execute: string, args: object = {}, fds: readonly number[] = []) => {
    backend.text = '';
    if (fds.length > 0) backend.frontend!.descriptors!(fds);
    backend.send(JSON.stringify({ execute, arguments: args }));
    await settle();
    return backend.answers[0]!;
  };
  return { backend, target, qmp, ask };
}

it('gives commands the descriptors in the order in which they came', async () => {
  const { target, ask } = await session();
  expect(await ask('getfd', { fdname: 'a' })).toMatchObject({
    error: { class: 'GenericError', desc: 'No file descriptor supplied via SCM_RIGHTS' },
  });
  expect(await ask('getfd', { fdname: 'a' }, [10, 11])).toEqual({ return: {} });
  expect(await ask('add-fd', { 'fdset-id': 2, opaque: 'o' })).toEqual({ return: { fd: 11, 'fdset-id': 2 } });
  expect(await ask('closefd', { fdname: 'a' })).toEqual({ return: {} });
  expect(await ask('remove-fd', { 'fdset-id': 2, fd: 11 })).toEqual({ return: {} });
  expect(await ask('query-fdsets')).toEqual({
    return: [{ 'fdset-id': 7, fds: [{ fd: 13, opaque: 'x' }, { fd: 14 }] }],
  });
  expect(target.kept).toEqual(['a=10', 'set 2: 11 o', 'close a', 'remove 2 11']);
});

it('closes what no command wants: too many, at the end of a conversation, at the end', async () => {
  const { backend, target, qmp, ask } = await session();
  await ask('query-status', {}, [...Array(18).keys()]);
  expect(target.kept).toEqual(['discard 0', 'discard 1']);
  backend.frontend!.event!('closed');
  expect(target.kept).toHaveLength(18);
  backend.frontend!.event!('opened');
  backend.frontend!.descriptors!([99]);
  qmp[Symbol.dispose]();
  expect(target.kept.at(-1)).toBe('discard 99');
});

it('yanks what it lists, all or nothing', async () => {
  const { target, ask } = await session();
  const { return: instances } = (await ask('query-yank')) as { return: object[] };
  expect(instances).toEqual([{ type: 'migration' }, { type: 'chardev', id: 'serial0' }]);
  expect(await ask('yank', { instances: [{ type: 'migration' }, { type: 'chardev', id: 'x' }] })).toMatchObject({
    error: { class: 'DeviceNotFound' },
  });
  expect(target.yanked).toEqual([]);
  expect(await ask('yank', { instances })).toEqual({ return: {} });
  expect(target.yanked).toEqual(['migration', 'serial0']);
});
