import { COMMANDS, QmpSession } from '@sterna/qmp';
import { describe, expect, it } from 'vitest';
import { FakeBackend, settle } from './fake-backend.ts';
import { FakeTarget } from './fake-target.ts';

async function negotiated() {
  const [backend, target] = [new FakeBackend(), new FakeTarget()];
  const session = new QmpSession(backend, target);
  backend.send('{"execute":"qmp_capabilities"}');
  await settle();
  backend.text = '';
  const ask = async (request: object) => {
    backend.text = '';
    backend.send(JSON.stringify(request));
    await settle();
    return backend.answers[0]!;
  };
  return { backend, target, session, ask };
}

describe('negotiation', () => {
  it('greets with the QEMU version and ours', () => {
    const backend = new FakeBackend();
    new QmpSession(backend, new FakeTarget());
    expect(backend.messages).toEqual([
      { QMP: { version: { qemu: { major: 11, minor: 1, micro: 0 }, package: 'sterna 0.1.0' }, capabilities: ['oob'] } },
    ]);
  });

  it('must come first and only once, and events are silent until then', async () => {
    const [backend, target] = [new FakeBackend(), new FakeTarget()];
    new QmpSession(backend, target);
    target.emit({ event: 'STOP' });
    backend.send(
      '{"execute":"query-status","id":1}{"execute":"qmp_capabilities","id":2}{"execute":"qmp_capabilities","id":3}',
    );
    await settle();
    expect(backend.messages.slice(1)).toEqual([
      { error: { class: 'CommandNotFound', desc: expect.stringContaining('qmp_capabilities') }, id: 1 },
      { return: {}, id: 2 },
      { error: { class: 'CommandNotFound', desc: expect.any(String) }, id: 3 },
    ]);
  });

  it('starts anew for the next peer, and answers of the last one never reach it', async () => {
    const { backend } = await negotiated();
    backend.send('{"execute":"stop"}');
    backend.frontend!.event!('closed');
    backend.text = '';
    backend.frontend!.event!('opened');
    await settle();
    expect(backend.messages).toHaveLength(1);
    expect(backend.messages[0]).toHaveProperty('QMP');
  });
});

describe('commands', () => {
  it.each([
    ['query-version', { qemu: { major: 11, minor: 1, micro: 0 }, package: 'sterna 0.1.0' }],
    ['query-status', { running: false, status: 'prelaunch' }],
    ['query-name', { name: 'box' }],
    ['query-uuid', { UUID: '12345678-1234-1234-1234-123456789abc' }],
    [
      'query-cpus-fast',
      [
        {
          'cpu-index': 0,
          'qom-type': 'qemu64-x86_64-cpu',
          'qom-path': '/machine/unattached/device[0]',
          'thread-id': 4711,
          target: 'x86_64',
          props: { 'core-id': 0, 'thread-id': 0, 'socket-id': 0 },
        },
      ],
    ],
    ['x-query-jit', { 'human-readable-text': 'Regions 3\n' }],
    ['query-migrate', {}],
    ['query-migrate-capabilities', [{ capability: 'events', state: true }]],
    ['query-commands', Object.keys(COMMANDS).map((name) => ({ name }))],
    ['stop', {}],
    ['cont', {}],
    ['quit', {}],
    ['system_reset', {}],
    ['system_powerdown', {}],
    ['system_wakeup', {}],
    ['migrate_cancel', {}],
  ])('%s', async (execute, expected) => {
    const { ask } = await negotiated();
    expect(await ask({ execute, id: { any: ['id'] } })).toEqual({ return: expected, id: { any: ['id'] } });
  });

  it('shows character backends and reads a ringbuf', async () => {
    const { ask } = await negotiated();
    expect((await ask({ execute: 'query-chardev' }))['return']).toEqual([
      { label: 'serial0', filename: 'stdio', 'frontend-open': true },
      { label: 'ring', filename: 'ringbuf', 'frontend-open': false },
    ]);
    const read = (args: object) => ask({ execute: 'ringbuf-read', arguments: { device: 'ring', size: 4, ...args } });
    expect((await read({}))['return']).toBe('hell');
    expect((await read({ format: 'base64' }))['return']).toBe('aGVsbA==');
    expect(await read({ device: 'serial0' })).toMatchObject({
      error: { desc: expect.stringMatching(/is not a ringbuf device/) },
    });
    expect(await read({ format: 'hex' })).toMatchObject({
      error: { desc: expect.stringMatching(/'format' does not accept value 'hex'/) },
    });
    expect(await read({ size: 0 })).toMatchObject({ error: { desc: expect.stringMatching(/greater than zero/) } });
  });

  it('passes arguments on', async () => {
    const { ask, target } = await negotiated();
    await ask({ execute: 'migrate', arguments: { uri: 'unix:/m', detach: true } });
    await ask({ execute: 'migrate-incoming', arguments: { uri: 'unix:/m', 'exit-on-error': false } });
    await ask({ execute: 'migrate-set-parameters', arguments: { 'max-bandwidth': 1 } });
    await ask({
      execute: 'migrate-set-capabilities',
      arguments: { capabilities: [{ capability: 'events', state: true }] },
    });
    await ask({ execute: 'migrate-continue', arguments: { state: 'pre-switchover' } });
    expect(target.calls).toEqual([
      'migrate unix:/m',
      'incoming unix:/m false',
      'params {"max-bandwidth":1}',
      'caps events=true',
      'continue pre-switchover',
    ]);
  });

  it('writes memory to a file, and refuses what is no part of it', async () => {
    const { ask, target } = await negotiated();
    const save = (args: object) => ask({ execute: 'pmemsave', arguments: { filename: '/f', ...args } });
    expect(await save({ val: 4096, size: 10 })).toEqual({ return: {} });
    expect(target.calls).toEqual(['save 4096 10 /f']);
    expect(await save({ val: -1, size: 10 })).toMatchObject({ error: { desc: expect.stringMatching(/Invalid addr/) } });
  });

  it('answers in order, also when an earlier command takes longer, and sends events before the answer', async () => {
    const { backend, target } = await negotiated();
    backend.send('{"execute":"stop","id":1}{"execute":"query-status","id":2}');
    await settle();
    expect(backend.messages).toEqual([
      { timestamp: { seconds: 1_795_199_250, microseconds: 498_311 }, event: 'STOP' },
      { return: {}, id: 1 },
      { return: { running: false, status: 'paused' }, id: 2 },
    ]);
    expect(target.calls).toEqual(['stop']);
  });

  it.each([
    [{ execute: 'query-foo' }, 'CommandNotFound', /query-foo has not been found/],
    [{ execute: 'toString' }, 'CommandNotFound', /toString/],
    [{ execute: 'stop', arguments: { a: 1 } }, 'GenericError', /Parameter 'a' is unexpected/],
    [{ execute: 'stop', arguments: 1 }, 'GenericError', /'arguments' must be an object/],
    [{ execute: 'stop', x: 1 }, 'GenericError', /'x' is unexpected/],
    [{ execute: 1 }, 'GenericError', /'execute' must be a string/],
    [{ id: 1 }, 'GenericError', /lacks member 'execute'/],
    [[1], 'GenericError', /must be a JSON object/],
    [{ 'exec-oob': 'stop' }, 'GenericError', /'exec-oob' is unexpected/],
    [{ execute: 'migrate' }, 'GenericError', /need either 'uri' or 'channels' argument/],
    [{ execute: 'migrate', arguments: { uri: 1 } }, 'GenericError', /'uri', expected: string/],
    [{ execute: 'migrate-continue' }, 'GenericError', /Parameter 'state' is missing/],
    [
      { execute: 'migrate-set-capabilities', arguments: { capabilities: [{ capability: 'events' }] } },
      'GenericError',
      /'state' is missing/,
    ],
  ])('refuses %j', async (request, errorClass, desc) => {
    const { ask } = await negotiated();
    expect(await ask(request)).toMatchObject({ error: { class: errorClass, desc: expect.stringMatching(desc) } });
  });

  it('survives junk between commands', async () => {
    const { backend } = await negotiated();
    backend.send('foo\n{"execute":"query-name","id":7}\n');
    await settle();
    expect(backend.answers).toEqual([
      { error: { class: 'GenericError', desc: expect.stringMatching(/JSON parse error/) } },
      { return: { name: 'box' }, id: 7 },
    ]);
  });

  it('runs monitor commands and answers their text', async () => {
    const { ask } = await negotiated();
    const hmp = async (line: string) =>
      (await ask({ execute: 'human-monitor-command', arguments: { 'command-line': line } }))['return'];
    expect(await hmp('info status')).toBe('VM status: paused (prelaunch)\r\n');
    expect(await hmp('info registers')).toBe('\r\nCPU#0\r\nEAX=00000000\r\n');
    expect(await hmp('info qtree')).toBe('bus: main-system-bus\r\n');
    expect(await hmp('nonsense here')).toBe("unknown command: 'nonsense here'\r\n");
    expect(await hmp('stop')).toBe('');
    expect(await hmp('info status')).toBe('VM status: paused\r\n');
  });
});

describe('flow control', () => {
  it('keeps answers for a slow peer and stops reading it', async () => {
    const { backend } = await negotiated();
    backend.room = 10;
    backend.send('{"execute":"query-version"}');
    await settle();
    expect(backend.text).toHaveLength(10);
    backend.makeRoom(Number.POSITIVE_INFINITY);
    expect(backend.answers).toHaveLength(1);
  });

  it('lets requests wait unread behind a command that takes long', async () => {
    const { backend } = await negotiated();
    for (let i = 0; i < 9; i++) backend.send('{"execute":"stop"}');
    expect(backend.frontend!.canReceive()).toBe(0);
    await settle();
    expect(backend.frontend!.canReceive()).toBeGreaterThan(0);
  });

  it('hears no events after it was disposed', async () => {
    const { session, target } = await negotiated();
    session[Symbol.dispose]();
    expect(target.listeners).toBe(0);
  });
});
