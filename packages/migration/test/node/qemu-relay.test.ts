import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEventLoop } from '@sterna/core/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MigrationController } from '../../src/controller.ts';
import { parseStream } from '../../src/inspect/records.ts';
import { NodeMigrationTransport } from '../../src/node/transport.ts';
import { Pace } from '../../src/pace.ts';
import type { VmDescription } from '../../src/vmstate/describe.ts';
import { FakeHost } from '../support/fake-host.ts';
import { sectionFromDescription } from '../support/from-description.ts';
import { goldenStream } from '../support/golden.ts';
import { assembleGuest, Qemu, qemuMissing } from '../support/qemu.ts';

let directory: string;
const running: Qemu[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sterna-relay-'));
  if (qemuMissing === undefined) assembleGuest(`${directory}/tiny.rom`);
});
afterAll(async () => {
  for (const qemu of running) qemu.kill();
  await rm(directory, { recursive: true });
});

/** A machine without CPU that has QEMU's sections: it can only hold a guest and pass it on. */
function relay(): { host: FakeHost; controller: MigrationController } {
  const json = parseStream(goldenStream('v72-run-rom-noacpi')).find((record) => record.type === 'vmdescription')!.json;
  const { devices } = JSON.parse(new TextDecoder().decode(json)) as VmDescription;
  const host = new FakeHost(
    'inmigrate',
    [
      ['microvm.ram', 8 * 2 ** 20],
      ['pc.bios', 65536],
    ],
    'microvm',
  );
  const sections = devices.filter(({ name }) => name !== 'globalstate').map(sectionFromDescription);
  host.sections = () => sections;
  const pace = new Pace(nodeEventLoop, { monotonicNs: () => performance.now() * 1e6 });
  return { host, controller: new MigrationController(host, { transport: new NodeMigrationTransport(), pace }) };
}

function start(name: string, incoming: boolean): Qemu {
  const qemu = new Qemu(directory, name, incoming);
  running.push(qemu);
  return qemu;
}

const rounds = (text: string): number[] =>
  [...text.matchAll(/^OK r=([0-9a-f]+)/gm)].map(([, round]) => Number.parseInt(round!, 16));

describe.skipIf(qemuMissing !== undefined)(
  `a guest of QEMU${qemuMissing === undefined ? '' : ` (${qemuMissing})`}`,
  () => {
    test('comes in from QEMU, goes out to QEMU, and counts on without a gap', async () => {
      const first = start('first', false);
      await expect.poll(() => rounds(first.serial).length, { timeout: 20_000 }).toBeGreaterThan(3);
      const { host, controller } = relay();
      const arrived = controller.migrateIncoming(
        `unix:${directory}/in`,
        () => void first.command('migrate', { uri: `unix:${directory}/in` }),
      );
      await arrived;
      // The relay has no CPU; the guest is running as far as its state says.
      expect(host.runState).toBe('running');
      const last = rounds(first.serial).at(-1)!;

      const second = start('second', true);
      await second.command('migrate-incoming', { uri: `unix:${directory}/out` });
      await controller.migrate(`unix:${directory}/out`);
      await expect.poll(() => rounds(second.serial).length, { timeout: 20_000 }).toBeGreaterThan(3);
      const text = first.serial + second.serial;
      expect(text).not.toContain('BAD');
      const all = rounds(text);
      const step = all[1]! - all[0]!;
      expect(all.map((round, i) => round - all[0]! - i * step).every((gap) => gap === 0)).toBe(true);
      expect(all.indexOf(last)).toBeLessThan(all.length - 3);
    }, 60_000);
  },
);
