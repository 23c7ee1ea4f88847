import { QmpSession } from '@sterna/qmp';
import { describe, expect, it } from 'vitest';
import { FakeBackend, settle } from './fake-backend.ts';
import { FakeTarget } from './fake-target.ts';

async function negotiated(enable = '["oob"]') {
  const [backend, target] = [new FakeBackend(), new FakeTarget()];
  new QmpSession(backend, target);
  backend.send(`{"execute":"qmp_capabilities","arguments":{"enable":${enable}}}`);
  await settle();
  backend.text = '';
  return { backend, target };
}

describe('out-of-band execution', () => {
  it('overtakes commands that wait', async () => {
    const { backend, target } = await negotiated();
    let goOn = (): void => {};
    target.stop = () => new Promise((resolve) => (goOn = resolve));
    backend.send('{"execute":"stop","id":1}{"execute":"query-name","id":2}{"exec-oob":"query-yank","id":3}');
    await settle();
    expect(backend.answers.map(({ id }) => id)).toEqual([3]);
    goOn();
    await settle();
    expect(backend.answers.map(({ id }) => id)).toEqual([3, 1, 2]);
  });

  it('waits behind a full queue, whose rest stays unread', async () => {
    const { backend, target } = await negotiated();
    let goOn = (): void => {};
    target.stop = () => new Promise((resolve) => (goOn = resolve));
    backend.send('{"execute":"stop"}');
    for (let id = 1; id <= 8; id++) backend.send(`{"execute":"query-name","id":${id}}`);
    expect(backend.frontend!.canReceive()).toBe(0);
    goOn();
    await settle();
    expect(backend.frontend!.canReceive()).toBeGreaterThan(0);
  });

  it.each([
    ['{"exec-oob":"query-name","id":1}', 'The command query-name does not support OOB'],
    ['{"exec-oob":"query-yank","execute":"stop"}', "QMP input member 'execute' clashes with 'exec-oob'"],
    ['{"exec-oob":7}', "QMP input member 'exec-oob' must be a string"],
    ['{"exec-oob":"nix"}', 'The command nix has not been found'],
    ['{"exec-oob":"yank"}', "Parameter 'instances' is missing"],
  ])('refuses %s as QEMU does', async (request, desc) => {
    const { backend } = await negotiated();
    backend.send(request);
    await settle();
    expect(backend.answers).toMatchObject([{ error: { desc } }]);
  });

  it('must be switched on', async () => {
    const { backend } = await negotiated('[]');
    backend.send('{"exec-oob":"query-yank"}');
    await settle();
    expect(backend.answers).toMatchObject([{ error: { desc: "QMP input member 'exec-oob' is unexpected" } }]);
  });
});
