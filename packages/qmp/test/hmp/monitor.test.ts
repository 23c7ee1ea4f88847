import { HmpMonitor } from '@sterna/qmp';
import { describe, expect, it } from 'vitest';
import { FakeBackend, settle } from '../fake-backend.ts';
import { FakeTarget } from '../fake-target.ts';

function start() {
  const [backend, target] = [new FakeBackend(), new FakeTarget()];
  new HmpMonitor(backend, target);
  const type = async (text: string) => {
    backend.text = '';
    backend.send(text);
    await settle();
    return backend.text;
  };
  return { backend, target, type };
}

describe('monitor', () => {
  it('greets and prompts', () => {
    expect(start().backend.text).toMatch(/^Sterna 0\.1\.0 monitor .*11\.1\.0.*\r\n\(qemu\) $/);
  });

  it('echoes, runs a line and prompts again', async () => {
    const { type } = start();
    expect(await type('info status\r')).toBe('info status\r\nVM status: paused (prelaunch)\r\n(qemu) ');
  });

  it.each([
    ['sto\x7fop\r', 'stop'],
    ['xxcont\x01\x04\x04\r', 'cont'],
    ['cnt\x1b[D\x1b[Do\r', 'cont'],
    ['garbage\x15quit\r', 'quit'],
    ['migrate_c\t\x0b\x15c\r', 'cont'],
    ['q\n', 'quit'],
    ['system_res\t\r', 'reset'],
    ['cont stop\x17\r', 'cont'],
    ['migrate -d unix:/m\r', 'migrate unix:/m'],
    ['migrate_set_parameter max-bandwidth 5\r', 'params {"max-bandwidth":5242880}'],
    ['migrate_set_parameter downtime-limit 100\r', 'params {"downtime-limit":100}'],
    ['migrate_set_capability events on\r', 'caps events=true'],
    ['migrate_incoming tcp:0:1\r', 'incoming tcp:0:1 undefined'],
  ])('edits: %j', async (keys, call) => {
    const { type, target } = start();
    await type(keys);
    expect(target.calls).toEqual([call]);
  });

  it('recalls lines', async () => {
    const { type, target } = start();
    await type('stop\rcont\r');
    await type('\x1b[A\x1b[A\r');
    await type('\x10\r');
    expect(target.calls).toEqual(['stop', 'cont', 'stop', 'stop']);
  });

  it('says what is wrong', async () => {
    const { type, target } = start();
    expect(await type('migrate bad:x\r')).toContain('Error: unknown scheme');
    expect(await type('stop now\r')).toContain("'stop' takes no arguments");
    expect(await type('foo\r')).toContain("unknown command: 'foo'");
    expect(await type('info jit\r')).toContain('Regions 3\r\n');
    expect(await type('info foo\r')).toContain("unknown command: 'info foo'");
    expect(target.calls).toEqual(['migrate bad:x']);
  });

  it('waits for the end of a migration without -d', async () => {
    const { backend, type, target } = start();
    target.status = 'active';
    expect(await type('migrate unix:/m\r')).not.toContain('(qemu)');
    target.status = 'completed';
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(backend.text).toContain('(qemu)');
  });

  it('lists every command in its help', async () => {
    const { type } = start();
    const help = await type('help\r');
    expect(help).toContain('migrate [-d] [-r] uri --');
    expect(help).toContain('info registers [-a|vcpu] --');
    expect(await type('help stop\r')).toMatch(/stop\|s -- pauses/);
  });
});
