import { ConfigError, escapeOptionValue, parseChardev, parseChardevOption, parseOptionList } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const CLIENT = { server: false, wait: false, reconnectMs: 0 };
const SERVER = { server: true, wait: true, reconnectMs: 0 };

describe('option lists', () => {
  it('reads values, flags, negated flags and doubled commas', () => {
    expect(parseOptionList('socket,path=a,,b,server,nowait', 'backend')).toEqual([
      ['backend', 'socket'],
      ['path', 'a,b'],
      ['server', 'on'],
      ['wait', 'off'],
    ]);
  });

  it('reads back every value that was escaped', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(parseOptionList(`x,key=${escapeOptionValue(value)}`, 'first')).toEqual([
          ['first', 'x'],
          ['key', value],
        ]);
      }),
    );
  });
});

describe('short forms', () => {
  const spec = (text: string) => {
    const target = parseChardev(text, '-serial');
    return target.kind === 'backend' ? target.spec : target;
  };

  it.each([
    ['none', { kind: 'none' }],
    ['null', { kind: 'null' }],
    ['stdio', { kind: 'stdio', signal: true }],
    ['chardev:c0', { kind: 'reference', id: 'c0' }],
    ['file:/tmp/x', { kind: 'file', path: '/tmp/x', append: false }],
    ['unix:/tmp/s', { kind: 'unix', path: '/tmp/s', ...CLIENT }],
    ['unix:/tmp/s,server=on,wait=off', { kind: 'unix', path: '/tmp/s', ...SERVER, wait: false }],
    ['unix:/tmp/s,server,nowait', { kind: 'unix', path: '/tmp/s', ...SERVER, wait: false }],
    ['unix:/tmp/s,server', { kind: 'unix', path: '/tmp/s', ...SERVER }],
    ['tcp:localhost:4444', { kind: 'tcp', host: 'localhost', port: 4444, nodelay: false, ...CLIENT }],
    ['tcp:[::1]:4444,server=on', { kind: 'tcp', host: '::1', port: 4444, nodelay: false, ...SERVER }],
    [
      'tcp::4444,nodelay,reconnect=2',
      { kind: 'tcp', host: '', port: 4444, nodelay: true, ...CLIENT, reconnectMs: 2000 },
    ],
  ])('%s', (text, expected) => {
    expect(spec(text)).toEqual(expected);
  });

  it('shares stdio with a monitor after mon:, and then Ctrl-C is for the guest', () => {
    expect(parseChardev('mon:stdio', '-serial')).toEqual({
      kind: 'backend',
      spec: { kind: 'stdio', signal: false },
      withMonitor: true,
    });
  });

  it.each([
    ['stdoi', /did you mean 'stdio'/],
    ['pty', /'pty' exists in QEMU but not here/],
    ['unix:/tmp/s,sever=on', /no option 'sever'; did you mean 'server'/],
    ['unix:/tmp/s,wait=off', /'wait' is for servers/],
    ['unix:/tmp/s,server=maybe', /neither on nor off/],
    ['unix:', /'path=' is missing/],
    ['tcp:4444', /not HOST:PORT/],
    ['tcp:h:99999', /not a port/],
    ['unix:/s,server=on,reconnect=1', /'reconnect' is for clients/],
  ])('refuses %s with a reason', (text, message) => {
    expect(() => parseChardev(text, '-serial')).toThrow(message);
    expect(() => parseChardev(text, '-serial')).toThrow(ConfigError);
  });
});

describe('-chardev', () => {
  it.each([
    ['stdio,id=a', { id: 'a', mux: false, spec: { kind: 'stdio', signal: true } }],
    ['stdio,id=a,mux=on', { id: 'a', mux: true, spec: { kind: 'stdio', signal: false } }],
    [
      'socket,id=s,path=/x,server=on,wait=off',
      { id: 's', mux: false, spec: { kind: 'unix', path: '/x', ...SERVER, wait: false } },
    ],
    [
      'socket,id=s,host=h,port=1',
      { id: 's', mux: false, spec: { kind: 'tcp', host: 'h', port: 1, nodelay: false, ...CLIENT } },
    ],
    ['socket,id=s,fd=5', { id: 's', mux: false, spec: { kind: 'fd', fd: 5, ...CLIENT } }],
    ['ringbuf,id=r,size=4K', { id: 'r', mux: false, spec: { kind: 'ringbuf', size: 4096 } }],
    ['file,id=f,path=/x,append=on', { id: 'f', mux: false, spec: { kind: 'file', path: '/x', append: true } }],
  ])('%s', (text, expected) => {
    expect(parseChardevOption(text)).toEqual(expected);
  });

  it.each([
    ['stdio', /'id=' is missing/],
    ['socket,id=s', /exactly one of/],
    ['socket,id=s,path=/x,fd=3', /exactly one of/],
    ['ringbuf,id=r,size=1000', /power of two/],
    ['fiel,id=f,path=/x', /did you mean 'file'/],
    ['null,id=n,path=/x', /no option 'path'/],
  ])('refuses %s with a reason', (text, message) => {
    expect(() => parseChardevOption(text)).toThrow(message);
  });
});
