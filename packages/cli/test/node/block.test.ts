import { existsSync, writeFileSync } from 'node:fs';
import type { QmpClient } from '@sterna/qmp';
import { connectQmp } from '@sterna/qmp/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until, Workshop } from './system-process.ts';

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
  writeFileSync(shop.path('a.img'), new Uint8Array(1 << 20));
});
afterEach(() => shop.dispose());

async function machine(...args: string[]): Promise<{ qmp: QmpClient; info: (line: string) => Promise<string> }> {
  const vm = shop.toy('-qmp', 'unix:qmp,server=on,wait=off', ...args);
  await until(() => existsSync(shop.path('qmp')) || vm.code !== undefined, vm);
  expect(vm.err).toBe('');
  const qmp = await connectQmp(shop.path('qmp'));
  const info = async (line: string) =>
    (await qmp.execute('human-monitor-command', { 'command-line': line })).replaceAll('\r\n', '\n');
  return { qmp, info };
}

describe('disks on the command line', () => {
  it('are shown by query-block, query-named-block-nodes and info block as QEMU shows them', async () => {
    const { qmp, info } = await machine(
      ...['-blockdev', 'driver=file,filename=a.img,node-name=f0', '-blockdev', 'driver=raw,file=f0,node-name=n0'],
      ...['-drive', 'file=a.img,format=raw,if=none,id=dr1'],
      ...['-blockdev', '{"driver":"null-co","node-name":"z","read-only":true,"size":1048576}'],
    );
    expect(await qmp.execute('query-block', {})).toMatchObject([
      {
        device: 'dr1',
        type: 'unknown',
        locked: false,
        inserted: { drv: 'raw', file: 'a.img', ro: false, active: true, image: { 'virtual-size': 1 << 20 } },
      },
    ]);
    const nodes = await qmp.execute('query-named-block-nodes', {});
    expect(nodes.map((node) => [node['node-name'], node.drv, node.ro, node.children])).toEqual([
      ['#block000', 'raw', false, [{ child: 'file', 'node-name': '#block001' }]],
      ['#block001', 'file', false, []],
      ['z', 'null-co', true, []],
      ['n0', 'raw', false, [{ child: 'file', 'node-name': 'f0' }]],
      ['f0', 'file', false, []],
    ]);
    expect(await info('info block')).toBe(
      'dr1 (#block000): a.img (raw)\n    Removable device: not locked, tray closed\n    Cache mode:       writeback\n',
    );
    expect(await info('info block -n n0')).toBe('n0: a.img (raw)\n    Cache mode:       writeback\n');
    expect(await info('info block -v -n z')).toContain('virtual size: 1 MiB (1048576 bytes)');
    expect(await info('info block a b')).toMatch(/^Error: /);
    qmp.close();
  });

  it('come, go, change hands and lengths by commands', async () => {
    const { qmp, info } = await machine();
    const add = (spec: Readonly<Record<string, unknown>>) => qmp.executeAny('blockdev-add', spec);
    await add({ driver: 'raw', 'node-name': 'n', file: { driver: 'file', filename: 'a.img', 'node-name': 'f' } });
    await expect(add({ driver: 'null-co', 'node-name': 'n' })).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_NODE' });
    await expect(qmp.execute('blockdev-del', { 'node-name': 'f' })).rejects.toThrow(/in use/);
    await qmp.execute('block_resize', { 'node-name': 'n', size: 2 << 20 });
    expect((await qmp.execute('query-named-block-nodes', {}))[0]?.image['virtual-size']).toBe(2 << 20);
    await expect(qmp.execute('block_resize', { size: 1 })).rejects.toThrow(/exactly one/);
    await expect(qmp.execute('blockdev-set-active', { 'node-name': 'f', active: false })).rejects.toThrow(
      /Node has active parent node/,
    );
    await qmp.execute('blockdev-set-active', { active: false });
    expect((await qmp.execute('query-named-block-nodes', {})).map(({ active }) => active)).toEqual([false, false]);
    expect(await info('info block -n')).toContain('owned by another process');
    // The machine does not run without its disks: cont takes them back.
    await qmp.execute('stop', {});
    await qmp.execute('cont', {});
    expect((await qmp.execute('query-named-block-nodes', {})).map(({ active }) => active)).toEqual([true, true]);
    await qmp.execute('blockdev-del', { 'node-name': 'n' });
    expect(await qmp.execute('query-named-block-nodes', {})).toEqual([]);
    qmp.close();
  });

  it.each([
    [['-blockdev', 'driver=file,filename=gone,node-name=f'], /Could not open 'gone': no such file/],
    [['-blockdev', 'driver=qcow2,node-name=f,file.driver=null-co'], /no block driver 'qcow2'/],
    [['-blockdev', 'driver=null-co'], /'node-name' must be specified/],
    [['-drive', 'file=a.img,if=virtio,format=raw'], /'if=virtio' needs a device/],
    [['-drive', 'file=a.img,if=none,format=qcow2'], /no block driver 'qcow2'/],
  ])('are refused by name: %j', async (args, message) => {
    const vm = shop.toy(...args);
    await until(() => vm.code !== undefined, vm);
    expect(vm.err).toMatch(message);
    expect(vm.code).not.toBe(0);
  });
});
