import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { tinyGuestFile } from '@sterna/guests/node';
import { leavesOf, MemorySource, type SectionItem, walkStream } from '@sterna/migration';
import { describe, expect, it } from 'vitest';
import { missing, SHARED } from '../support/peers.ts';
import { delay, Vm } from '../support/vm.ts';

const reason = missing({ shared: true });

/** A stream of QEMU with something in it that cannot be taken over. */
class Altered {
  readonly bytes: Uint8Array;
  readonly #sections: readonly SectionItem[];

  constructor(name: string) {
    this.bytes = gunzipSync(readFileSync(join(SHARED, `golden/${name}.mig.gz`)));
    const items = [...walkStream(new MemorySource(this.bytes))];
    this.#sections = items.filter((item): item is SectionItem => item.type === 'section');
  }
  /** Sets bits of a 64-bit field. */
  or(path: string, bits: bigint): this {
    const leaf = this.#sections.flatMap((section) => [...leavesOf(section)]).find((field) => field.path === path);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset);
    view.setBigUint64(leaf!.offset, view.getBigUint64(leaf!.offset) | bits);
    return this;
  }
  /** Puts another text of the same length in the place of the last one. */
  replace(from: string, to: string): this {
    const at = Buffer.from(this.bytes).lastIndexOf(from, this.#sections.at(-1)!.offset, 'latin1');
    this.bytes.set(Buffer.from(to, 'latin1'), at);
    return this;
  }
  /** Adds one to the version in a section's header. */
  newer(idstr: string): this {
    const section = this.#sections.find((candidate) => candidate.idstr === idstr && candidate.kind === 'full')!;
    this.bytes[section.bodyOffset - 1]!++;
    return this;
  }
}

const golden = () => new Altered('v111-run-rom-noacpi');

describe.skipIf(reason !== '')(`what cannot be taken over is refused with the reason ${reason}`, () => {
  it('section by section', async () => {
    const args = ['-M', 'microvm,acpi=off', '-m', '8', '-bios', tinyGuestFile('rom')];
    await using vm = await Vm.start('sterna', [...args, '-incoming', 'defer']);
    const cases: readonly (readonly [Altered, RegExp])[] = [
      [
        golden().or('cpu/0/env.cr[4]', 0x30_0800n),
        /section 'cpu' instance 0.*the guest uses umip, smep, smap \(CR4\), which this processor does not have/,
      ],
      [golden().or('cpu/0/env.xcr0', 4n), /section 'cpu'.*the guest uses avx \(XCR0\)/],
      [golden().or('cpu/0/env.efer', 0x1000n), /section 'cpu'.*the guest uses SVM/],
      [
        golden().replace('cpu/fpop_ip_dp', 'cpu/fpop_ip_dq'),
        /section 'cpu'.*subsection 'cpu\/fpop_ip_dq' is not known here/,
      ],
      [
        golden().replace('mc146818rtc', 'mc146818rtd'),
        /section 'mc146818rtd' instance 0.*this machine has no such device/,
      ],
      [golden().newer('i8254'), /section 'i8254'.*version 4, newer than the local 3/],
      [new Altered('v111-spin-noacpi'), /section 'ram'.*microvm\.ram has 0x1000000 bytes in the stream, 0x800000 here/],
      [golden(), /^$/],
    ];
    for (const [i, [{ bytes }, expected]] of cases.entries()) {
      const path = join(vm.directory, `case${i}`);
      writeFileSync(path, bytes);
      await vm.qmp.executeAny('migrate-incoming', { uri: `file:${path}` });
      let info: { status?: string; 'error-desc'?: string } = {};
      while (info.status !== 'failed' && info.status !== 'completed') {
        await delay(20);
        info = (await vm.qmp.executeAny('query-migrate')) as typeof info;
      }
      expect(info['error-desc'] ?? '').toMatch(expected);
      // Nothing of what was loaded runs.
      if (info.status === 'failed')
        expect(await vm.qmp.executeAny('query-status')).toMatchObject({ running: false, status: 'inmigrate' });
    }
    expect(vm.child.exitCode).toBeNull();
  });
});
