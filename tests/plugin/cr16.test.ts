import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { COUNTER, tickGuest } from '../../plugins/cpu-cr16/test/tick-guest.ts';
import { ROOT } from '../support/peers.ts';
import { migrate, Vm } from '../support/vm.ts';

/** GDB's remote protocol, one packet at a time; no GDB of Debian knows this architecture. */
class Remote {
  readonly #socket: Socket;
  #received = '';
  #wake: () => void = () => {};

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      this.#wake();
    });
  }
  async ask(text: string): Promise<string> {
    const sum = [...text].reduce((total, letter) => (total + letter.charCodeAt(0)) & 0xff, 0);
    this.#received = '';
    this.#socket.write(`$${text}#${sum.toString(16).padStart(2, '0')}`);
    for (;;) {
      const answer = /\$([^#]*)#..$/.exec(this.#received);
      if (answer !== null) {
        this.#socket.write('+');
        return answer[1]!;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

describe('a second architecture, from outside', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sterna-cr16-'));
  const kernel = join(folder, 'guest.bin');
  writeFileSync(kernel, tickGuest());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const args = ['--plugin', join(ROOT, 'plugins/cpu-cr16/src/index.ts'), '-M', 'cr16-board', '-kernel', kernel];

  it('runs, moves while it runs, and answers the monitor', async () => {
    await using source = await Vm.start('sterna', args);
    await source.says('...');
    await using destination = await Vm.start('sterna', [...args, '-incoming', 'defer']);
    expect(await migrate(source, destination, `unix:${destination.directory}/migration`)).toMatchObject({
      status: 'completed',
    });
    await destination.says('...');
    destination.type('?');
    await destination.says('?');
    const registers = await destination.qmp.executeAny('human-monitor-command', { 'command-line': 'info registers' });
    expect(registers).toMatch(/PC=0000[0-9a-f]{2} PSR=0a[0-9a-f]{2} .*INTBASE=004000/);
  });

  it('is debugged over the remote protocol', async () => {
    await using vm = await Vm.start('sterna', [...args, '-S', '-gdb', 'unix:gdb,server=on,wait=off']);
    using gdb = new Remote(join(vm.directory, 'gdb'));
    expect(await gdb.ask('qXfer:features:read:target.xml:0,fff')).toContain('<architecture>cr16</architecture>');
    // r0 to r11 have two bytes each, then come four registers of four bytes, and the program counter.
    expect(await gdb.ask('g')).toMatch(/^0{48}0{32}00000000/);
    expect(await gdb.ask('s')).toMatch(/^[TS]05/);
    expect(await gdb.ask('g')).toMatch(/^0{48}0{24}00f0000006000000/);
    expect(await gdb.ask(`Z2,${COUNTER.toString(16)},2`)).toBe('OK');
    expect(await gdb.ask('c')).toContain(`watch:${COUNTER.toString(16)}`);
    expect(await gdb.ask(`m${COUNTER.toString(16)},2`)).toBe('0100');
    expect(await gdb.ask(`z2,${COUNTER.toString(16)},2`)).toBe('OK');
  });
});
