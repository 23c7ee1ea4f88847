import { expect, test } from 'vitest';
import { formatMigrationAddress, parseMigrationChannels } from '../../src/transport/uri.ts';

const main = (addr: Record<string, unknown>) => [{ 'channel-type': 'main', addr }];

test.for([
  [{ transport: 'socket', type: 'inet', host: '::1', port: '4444' }, 'tcp:[::1]:4444'],
  [{ transport: 'socket', type: 'unix', path: '/tmp/s' }, 'unix:/tmp/s'],
  [{ transport: 'socket', type: 'fd', str: 'name' }, 'fd:name'],
  [{ transport: 'exec', args: ['/bin/sh', '-c', 'cat'] }, 'exec:cat'],
  [{ transport: 'file', filename: '/tmp/f', offset: 4096 }, 'file:/tmp/f,offset=0x1000'],
  [{ transport: 'file', filename: '/tmp/f' }, 'file:/tmp/f'],
] as const)('%j is %s', ([address, uri]) => {
  expect(formatMigrationAddress(parseMigrationChannels(main(address)))).toBe(uri);
});

test.for([
  [{ transport: 'socket', type: 'vsock' }, "socket type 'vsock' is not one of"],
  [{ transport: 'socket', type: 'unix' }, "'path' must be a string"],
  [{ transport: 'socket', type: 'inet', host: 'h', port: '70000' }, 'expected tcp:host:port'],
  [{ transport: 'exec', args: [] }, "'args' must be a list of strings"],
  [{ transport: 'exec', args: 'cat' }, "'args' must be a list of strings"],
  [{ transport: 'file', filename: 'f', offset: -1 }, "'offset' must be a size"],
  [{ transport: 'rdma' }, "transport 'rdma' is not one of"],
] as const)('%j is refused', ([address, text]) => {
  expect(() => parseMigrationChannels(main(address))).toThrow(text);
});

test('one main channel it must be', () => {
  expect(() => parseMigrationChannels([])).toThrow('one main channel, not 0');
  const two = [...main({}), ...main({})];
  expect(() => parseMigrationChannels(two)).toThrow('not 2');
  expect(() => parseMigrationChannels([{ 'channel-type': 'cpr' }])).toThrow("of type 'cpr'");
  expect(() => parseMigrationChannels([{ 'channel-type': 'main' }])).toThrow("transport 'undefined'");
});
