import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connectQmp } from '@sterna/qmp/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BIN, TOY, until, Workshop } from './system-process.ts';

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
});
afterEach(() => shop.dispose());

/** Numbers of the ticks in a text, in order. */
const ticks = (text: string) => [...text.matchAll(/TICK (\d+)\n/g)].map((match) => Number(match[1]));

async function qmp(path: string) {
  await until(() => existsSync(path));
  return connectQmp(path);
}

describe('information', () => {
  it('answers from any directory, without a machine', async () => {
    expect((await shop.run('sterna-system-x86_64', '-version')).out).toMatch(/^Sterna 0\.1\.0.*QEMU 11\.1\.0/);
    expect((await shop.run('sterna-system-x86_64', '-help')).out).toContain('-kernel FILE');
    expect((await shop.run('sterna-system-x86_64', '-M', 'help')).out).toContain('microvm');
    const devices = await shop.run('sterna-system-x86_64', '--plugin', TOY, '-device', 'help');
    expect(devices.out).toContain('name "toy-ticker", bus sysbus');
    expect(devices.out).toContain('name "isa-debug-exit"');
    expect((await shop.run('sterna-system-x86_64', '-device', 'isa-debug-exit,help')).out).toContain('iobase=<uint16>');
  });

  it.each([
    [['-foo-bar'], /unknown option -foo-bar/],
    [[], /no machine type was given/],
    [['-M', 'microvn'], /did you mean 'microvm'/],
    [['-M', 'microvm,acpy=on'], /did you mean 'acpi'/],
    [['-M', 'microvm,pcie=on'], /pcie=on is not supported/],
    [['-M', 'microvm', '-cpu', 'qemu65'], /no CPU model 'qemu65'/],
    [['-M', 'microvm', '-kernel', '/no/such'], /cannot read kernel \/no\/such/],
    [['-M', 'microvm', '-device', 'isa-debug-exi'], /did you mean 'isa-debug-exit'/],
    [['-M', 'microvm', '-serial', 'chardev:x'], /no -chardev with the id 'x'/],
    [['-M', 'microvm', '--plugin', './no.ts'], /plugin \.\/no\.ts: there is no file/],
    [['-M', 'microvm', '-serial', 'stdio', '-monitor', 'stdio'], /stdio is taken by -serial stdio/],
    [['-M', 'microvm', '-global', 'migration.foo=1'], /migration has no property 'foo'/],
  ])('refuses %j with code 2', async (args, message) => {
    const { code, err, out } = await shop.run('sterna-system-x86_64', ...args);
    expect(err).toMatch(message);
    expect([code === 2 || /kernel/.test(String(message)), out]).toEqual([true, '']);
  });
});

describe('a machine on stdio', () => {
  it('runs on at the end of stdin and ends cleanly on SIGTERM', async () => {
    const vm = shop.toy('-serial', 'stdio');
    vm.child.stdin?.end();
    await until(() => ticks(vm.out).length >= 5, vm);
    expect(vm.code).toBeUndefined();
    vm.child.kill('SIGTERM');
    await until(() => vm.code !== undefined, vm);
    expect(vm.code).toBe(0);
    expect(vm.err).toContain('terminating on SIGTERM');
    const list = ticks(vm.out);
    expect(list).toEqual(list.map((_, i) => i + 1));
  });

  it('stays when nothing is open and the guest is stopped, and listens to signals before its pid file appears', async () => {
    const vm = shop.toy('-serial', 'none', '-S', '-pidfile', 'pid.stays');
    await until(() => existsSync(shop.path('pid.stays')), vm);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(vm.code).toBeUndefined();
    vm.child.kill('SIGTERM');
    await until(() => vm.code !== undefined, vm);
    expect([vm.code, existsSync(shop.path('pid.stays'))]).toEqual([0, false]);
  });

  it.each([
    ['p', 0],
    ['x', 7],
  ])('ends with the code the guest asked for (%s)', async (key, code) => {
    const vm = shop.toy('-serial', 'stdio');
    await until(() => vm.out.includes('TICK 2'), vm);
    vm.child.stdin?.write(key);
    await until(() => vm.code !== undefined, vm);
    expect(vm.code).toBe(code);
  });

  it('switches to the monitor with Ctrl-A c and ends with Ctrl-A x under -nographic', async () => {
    const vm = shop.start('sterna-system-x86_64', ['--plugin', TOY, '-M', 'toy', '-nographic', '-S', '-name', 'box']);
    vm.child.stdin?.write('\x01c');
    await until(() => vm.out.includes('(qemu) '), vm);
    vm.child.stdin?.write('info status\ninfo name\ncont\n\x01c');
    await until(() => vm.out.includes('TICK 3'), vm);
    expect(vm.out).toContain('VM status: paused (prelaunch)');
    vm.child.stdin?.write('\x01x');
    await until(() => vm.code !== undefined, vm);
    expect(vm.code).toBe(0);
  });

  it('resets, or ends instead with -no-reboot; stops instead of ending with -no-shutdown', async () => {
    const vm = shop.toy('-serial', 'stdio', '-no-shutdown', '-qmp', 'unix:q,server=on,wait=off');
    await until(() => vm.out.includes('TICK 3'), vm);
    vm.child.stdin?.write('r');
    await until(() => /TICK 3\n(?:.|\n)*TICK 1\n/.test(vm.out), vm);
    const client = await qmp(shop.path('q'));
    const events: string[] = [];
    client.onEvent(({ event, data }) => void events.push(`${event} ${data?.['guest'] ?? ''}`.trim()));
    vm.child.stdin?.write('p');
    await until(() => events.includes('STOP'), vm);
    expect(await client.execute('query-status')).toEqual({ running: false, status: 'shutdown' });
    await expect(client.execute('cont')).rejects.toThrow(/must be reset first/);
    await client.execute('system_reset');
    await client.execute('cont');
    await until(() => events.includes('RESUME'), vm);
    expect(events).toEqual(['SHUTDOWN true', 'STOP', 'RESET false', 'RESUME']);
    await client.execute('quit');
    await until(() => vm.code !== undefined, vm);
    expect(vm.code).toBe(0);

    const other = shop.toy('-serial', 'stdio', '-no-reboot');
    await until(() => other.out.includes('TICK 1'), other);
    other.child.stdin?.write('r');
    await until(() => other.code !== undefined, other);
    expect(other.code).toBe(0);
  });
});

describe('sockets and files', () => {
  it('serves serial line and QMP on sockets, replaces stale ones and removes its own', async () => {
    const args = ['-serial', 'unix:s,server=on,wait=off', '-qmp', 'unix:q,server,nowait', '-pidfile', 'pid', '-S'];
    const killed = shop.toy(...args);
    await until(() => existsSync(shop.path('q')), killed);
    killed.child.kill('SIGKILL');
    await until(() => killed.code !== undefined);
    expect(existsSync(shop.path('s'))).toBe(true);

    const vm = shop.toy(...args, '-uuid', '12345678-1234-1234-1234-123456789abc');
    await until(
      () => existsSync(shop.path('pid')) && readFileSync(shop.path('pid'), 'utf8') === `${vm.child.pid}\n`,
      vm,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    const client = await qmp(shop.path('q'));
    const serial = connect(shop.path('s'));
    let text = '';
    serial.on('data', (chunk) => {
      text += String(chunk);
    });
    expect(await client.execute('query-uuid')).toEqual({ UUID: '12345678-1234-1234-1234-123456789abc' });
    expect(await client.execute('query-cpus-fast')).toHaveLength(1);
    expect(await client.execute('human-monitor-command', { 'command-line': 'info qtree' })).toContain(
      'dev: toy-ticker, id "ticker"',
    );
    await until(() => serial.readyState === 'open', vm);
    await client.execute('cont');
    await until(() => ticks(text).length > 3, vm);
    serial.destroy();
    await client.execute('quit');
    await until(() => vm.code !== undefined, vm);
    expect([vm.code, existsSync(shop.path('s')), existsSync(shop.path('q')), existsSync(shop.path('pid'))]).toEqual([
      0,
      false,
      false,
      false,
    ]);
  });

  it('speaks QMP on stdio and shares a backend between serial line and monitor', async () => {
    const vm = shop.toy(
      '-qmp',
      'stdio',
      '-chardev',
      'socket,id=m,path=s,server=on,wait=off,mux=on',
      '-mon',
      'm',
      '-serial',
      'chardev:m',
    );
    await until(() => existsSync(shop.path('s')), vm);
    const both = connect(shop.path('s'));
    let text = '';
    both.on('data', (chunk) => {
      text += String(chunk);
    });
    await until(() => text.includes('TICK'), vm);
    both.write('\x01cinfo status\n');
    await until(() => text.includes('VM status: running'), vm);
    vm.child.stdin?.write('{"execute":"qmp_capabilities"}{"execute":"quit"}');
    await until(() => vm.code !== undefined, vm);
    expect(vm.out).toMatch(/^\{"QMP":.*\r\n\{"return":\{\}\}\r\n/);
    expect([vm.code, vm.out.includes('"event":"SHUTDOWN"')]).toEqual([0, true]);
  });

  it('takes over a listening socket from whoever starts it', async () => {
    // A shell cannot make sockets: Node listens, hands its descriptor on as number 3 and closes its own.
    const starter = `
      import { createServer } from 'node:net';
      import { spawn } from 'node:child_process';
      const server = createServer().listen(0, '127.0.0.1', () => {
        const stdio = ['ignore', 'inherit', 'inherit', server._handle.fd];
        spawn(process.argv[1], process.argv.slice(2), { stdio }).on('exit', (code) => process.exit(code));
        console.log('port ' + server.address().port);
        server.close();
      });`;
    const chardev = ['-chardev', 'socket,id=f,fd=3,server=on,wait=off', '-serial', 'chardev:f'];
    const command = [`${BIN}/sterna-system-x86_64`, '--plugin', TOY, '-M', 'toy', '-nodefaults', ...chardev];
    const vm = shop.start('node', ['--input-type=module', '-e', starter, ...command]);
    await until(() => vm.out.includes('\n'), vm);
    const peer = connect(Number(/port (\d+)/.exec(vm.out)![1]), '127.0.0.1');
    let text = '';
    peer.on('data', (chunk) => {
      text += String(chunk);
    });
    await until(() => ticks(text).length > 2, vm);
    peer.write('x');
    await until(() => vm.code !== undefined, vm);
    expect(vm.code).toBe(7);
  });

  it('writes the serial line to a file', async () => {
    const vm = shop.toy('-chardev', 'file,id=f,path=log', '-serial', 'chardev:f');
    await until(() => existsSync(shop.path('log')) && readFileSync(shop.path('log'), 'utf8').includes('TICK 3'), vm);
    vm.child.kill('SIGINT');
    await until(() => vm.code !== undefined, vm);
    expect(vm.code).toBe(0);
  });

  it('goes to the background when it is set up', async () => {
    const front = await shop.run(
      'sterna-system-x86_64',
      '--plugin',
      TOY,
      '-M',
      'toy',
      '-display',
      'none',
      '-daemonize',
      '-pidfile',
      shop.path('pid'),
      '-qmp',
      `unix:${shop.path('q')},server=on,wait=off`,
    );
    expect([front.code, front.err]).toEqual([0, '']);
    const pid = Number(readFileSync(shop.path('pid'), 'utf8'));
    expect(pid).not.toBe(front.child.pid);
    const client = await qmp(shop.path('q'));
    expect((await client.execute('query-status')).running).toBe(true);
    await client.execute('quit');
    await until(() => !existsSync(shop.path('pid')));
    const failed = await shop.run('sterna-system-x86_64', '-M', 'nosuch', '-daemonize');
    expect([failed.code, failed.err]).toEqual([2, expect.stringContaining("no machine type 'nosuch'")]);
  });
});

describe('migration between two processes', () => {
  it('moves the guest, tells with events, and loses no tick', async () => {
    const a = shop.toy('-serial', 'stdio', '-qmp', 'unix:a.qmp,server=on,wait=off');
    const b = shop.toy('-serial', 'stdio', '-qmp', 'unix:b.qmp,server=on,wait=off', '-incoming', 'defer');
    const [source, destination] = [await qmp(shop.path('a.qmp')), await qmp(shop.path('b.qmp'))];
    await until(() => a.out.includes('TICK 5'), a);
    const events: string[] = [];
    source.onEvent(
      ({ event, data }) => void events.push(`${event} ${data?.['status'] ?? data?.['pass'] ?? ''}`.trim()),
    );
    await source.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
    expect(await destination.execute('query-status')).toEqual({ running: false, status: 'inmigrate' });
    await destination.execute('migrate-incoming', { uri: `unix:${shop.path('m')}` });
    await source.execute('migrate', { uri: `unix:${shop.path('m')}` });
    await until(() => events.includes('MIGRATION completed'), a);
    expect(events).toContain('STOP');
    expect((await source.execute('query-migrate')).status).toBe('completed');
    expect((await source.execute('query-status')).status).toBe('postmigrate');
    await until(() => ticks(b.out).length > 5, b);
    const list = ticks(a.out + b.out);
    expect(list).toEqual(list.map((_, i) => i + 1));
  });

  it('keeps the source running when the destination is not there, and says why', async () => {
    const a = shop.toy('-serial', 'stdio', '-qmp', 'unix:a.qmp,server=on,wait=off');
    const source = await qmp(shop.path('a.qmp'));
    await expect(source.execute('migrate', { uri: 'bad:x' })).rejects.toThrow(/bad:x/);
    await source.execute('migrate', { uri: `unix:${shop.path('nobody')}` });
    let info = await source.execute('query-migrate');
    while (info.status !== 'failed') info = await source.execute('query-migrate');
    expect(info['error-desc']).toContain('nobody');
    expect((await source.execute('query-status')).running).toBe(true);
    await expect(source.execute('migrate-incoming', { uri: 'tcp:127.0.0.1:1' })).rejects.toThrow(/-incoming/);
    await until(() => a.out.includes('TICK 9'), a);
  });

  it('ends with 1 on a broken stream after -incoming URI, and stays after -incoming defer', async () => {
    writeFileSync(shop.path('junk'), 'this is no stream');
    const b = shop.toy('-incoming', 'file:junk');
    await until(() => b.code !== undefined, b);
    expect(b.code).toBe(1);
    expect(b.err).toContain('the incoming migration failed');
    const c = shop.toy('-incoming', 'defer', '-qmp', 'unix:c.qmp,server=on,wait=off');
    const client = await qmp(shop.path('c.qmp'));
    await client.execute('migrate-incoming', { uri: `file:${shop.path('junk')}` });
    let info = await client.execute('query-migrate');
    while (info.status !== 'failed') info = await client.execute('query-migrate');
    expect(info['error-desc']).toBeTruthy();
    expect(c.code).toBeUndefined();
  });
});
