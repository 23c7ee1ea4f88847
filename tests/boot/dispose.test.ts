import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { buildTinyGuest } from '@sterna/guests/node';
import { describe, expect, it } from 'vitest';
import { LocalMachine } from '../support/local-machine.ts';
import { delay } from '../support/vm.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Lets go of what the current turn's promises and timers hold, several times over. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await delay(20);
    collect();
  }
}

/** Boots the tiny guest, waits until it talks, ends the machine. Nothing of it may stay reachable after that. */
async function bootAndClose(registry: FinalizationRegistry<string>, name: string): Promise<string> {
  const local = new LocalMachine({ kernel: buildTinyGuest('pvh') });
  registry.register(local.machine, `${name} machine`);
  registry.register(local.machine.cpus[0]!, `${name} cpu`);
  local.machine.setRunState('running');
  const limit = Date.now() + 30_000;
  while (local.serial.length < 20) {
    if (Date.now() > limit) throw new Error('the guest says nothing');
    await delay(10);
  }
  await local.machine.dispose();
  return local.serial;
}

describe('a machine that was closed', () => {
  it('is dropped with its processor and memory, and ten of them take no more than one', async () => {
    const gone = new Set<string>();
    const registry = new FinalizationRegistry<string>((name) => void gone.add(name));
    const resident: number[] = [];
    for (let i = 0; i < 10; i++) {
      expect(await bootAndClose(registry, `${i}`)).not.toBe('');
      await settle();
      resident.push(process.memoryUsage().rss / 2 ** 20);
    }
    await settle();
    // The last one may still be held by this function's own frame.
    const expected = Array.from({ length: 9 }, (_, i) => [`${i} machine`, `${i} cpu`]).flat();
    expect([...gone]).toEqual(expect.arrayContaining(expected));
    // What the first ones leave behind is compiled code, once for all.
    expect(resident.at(-1)! - resident[3]!).toBeLessThan(40);
  }, 120_000);
});
