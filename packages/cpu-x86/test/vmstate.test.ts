import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { isVmStateTable, type VmStateTable } from '@sterna/core';
import { channelPair, loadVmState, parseStream, StreamReader, StreamWriter, saveVmState } from '@sterna/migration';
import { describe, expect, test } from 'vitest';
import { Flag } from '../src/semantics/vectors.ts';
import { CpuVmState, cpuSections } from '../src/vmstate.ts';
import { Box } from './system/box.ts';

const directory = fileURLToPath(new URL('../../../../shared/golden', import.meta.url));
const missing = existsSync(directory) ? undefined : 'no ../shared/golden on this machine';
if (missing !== undefined && process.env['CI']) throw new Error(missing);
const names =
  missing === undefined
    ? readdirSync(directory)
        .filter((n) => n.endsWith('.mig.gz'))
        .map((n) => n.slice(0, -7))
    : [];

/** Content of the sections `cpu_common` and `cpu` of CPU 0. */
function sections(name: string): Map<string, { version: number; payload: Uint8Array }> {
  const out = new Map<string, { version: number; payload: Uint8Array }>();
  for (const r of parseStream(gunzipSync(readFileSync(`${directory}/${name}.mig.gz`)))) {
    if (r.type === 'full' && r.instance === 0 && (r.idstr === 'cpu' || r.idstr === 'cpu_common'))
      out.set(r.idstr, { version: r.version, payload: r.payload });
  }
  return out;
}

function tableOf(vm: CpuVmState, idstr: string): VmStateTable<CpuVmState> {
  const { vmstate } = cpuSections(vm).find((s) => s.idstr === idstr)!;
  if (!isVmStateTable(vmstate)) throw new Error(`${idstr} has no table`);
  return vmstate;
}

async function load(vm: CpuVmState, idstr: string, version: number, payload: Uint8Array): Promise<void> {
  const [there, here] = channelPair();
  const sent = there.write(payload).then(() => there.end());
  await loadVmState(new StreamReader(here), tableOf(vm, idstr), vm, version);
  await sent;
}

async function save(vm: CpuVmState, idstr: string): Promise<Uint8Array> {
  const [there, here] = channelPair();
  const writer = new StreamWriter(there);
  saveVmState(writer, tableOf(vm, idstr), vm);
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for (let c = await here.read(); c !== undefined; c = await here.read()) chunks.push(c.slice());
  })();
  await writer.flush();
  await there.end();
  await reading;
  return Buffer.concat(chunks);
}

function fresh(tscKhz = 0n): { box: Box; vm: CpuVmState } {
  const box = new Box();
  const cpu = box.cpu;
  const access = {
    state: cpu.state,
    index: 0,
    get rflags() {
      return cpu.rflags;
    },
    set rflags(v: number) {
      cpu.rflags = v;
    },
    stateChanged: () => cpu.stateChanged(),
  };
  return { box, vm: new CpuVmState(access, tscKhz) };
}

describe.skipIf(missing !== undefined)(`golden CPU sections${missing === undefined ? '' : ` (${missing})`}`, () => {
  test.for(names)('%s: cpu is loaded and saved byte for byte', async (name) => {
    const { version, payload } = sections(name).get('cpu')!;
    const { vm } = fresh();
    await load(vm, 'cpu', version, payload);
    expect(Buffer.from(await save(vm, 'cpu')).toString('hex')).toBe(Buffer.from(payload).toString('hex'));
  });

  test.for(names)('%s: cpu_common is loaded and saved byte for byte', async (name) => {
    const { version, payload } = sections(name).get('cpu_common')!;
    const { vm } = fresh();
    await load(vm, 'cpu_common', version, payload);
    const saved = await save(vm, 'cpu_common');
    // without exception_index, which only says where QEMU's loop stopped
    expect(Buffer.from(saved).toString('hex')).toBe(Buffer.from(payload.slice(0, 8)).toString('hex'));
  });

  test('registers of the halted guest are where they belong', async () => {
    const { version, payload } = sections('v72-halt').get('cpu')!;
    const { box, vm } = fresh();
    await load(vm, 'cpu', version, payload);
    expect(box.reg(0)).toBe(0xa0a1a2a3a4a5a6a7n);
    expect(box.reg(15)).toBe(0x1515151515151515n);
    expect(box.cpu.rflags).toBe(0xcd7);
    expect(box.state.getBig('segBase', 4)).toBe(0x7f0012340000n);
    expect(box.state.getBig('cstar')).toBe(0xffff8000cafe0000n);
    expect(box.state.get('fpuTop')).toBe(2);
    expect(box.state.get('cpl')).toBe(0);
    expect(box.state.get('modeKey') & 3).toBe(2);
  });
});

describe('CPU sections', () => {
  test('tsc-frequency is sent, and a different one is refused', async () => {
    const here = fresh(2_000_000n);
    here.box.enter('long');
    const bytes = await save(here.vm, 'cpu');
    await load(fresh(2_000_000n).vm, 'cpu', 12, bytes);
    await expect(load(fresh(1_000_000n).vm, 'cpu', 12, bytes)).rejects.toThrow(/2000000 kHz/);
  });

  test('the interrupt line, NMI and the shadow survive', async () => {
    const a = fresh();
    a.box.enter('long');
    a.box.state.set('irqLine', 1);
    a.box.state.set('nmiPending', 1);
    a.box.state.set('nmiBlocked', 1);
    a.box.state.set('shadow', 1);
    a.box.cpu.rflags = 2 | Flag.IF | Flag.ZF;
    const common = await save(a.vm, 'cpu_common');
    expect([...common.slice(4)]).toEqual([0, 0, 2, 0x10]);
    const b = fresh();
    await load(b.vm, 'cpu_common', 1, common);
    await load(b.vm, 'cpu', 12, await save(a.vm, 'cpu'));
    expect(b.box.state.get('nmiPending')).toBe(1);
    expect(b.box.state.get('nmiBlocked')).toBe(1);
    expect(b.box.state.get('shadow')).toBe(1);
    expect(b.box.cpu.rflags).toBe(2 | Flag.IF | Flag.ZF);
  });

  test('misc_enable is sent when it was written, and defaults when it was not', async () => {
    const a = fresh();
    a.box.state.setBig('miscEnable', 0x850089n);
    const b = fresh();
    await load(b.vm, 'cpu', 12, await save(a.vm, 'cpu'));
    expect(b.box.state.getBig('miscEnable')).toBe(0x850089n);
    await load(b.vm, 'cpu', 12, await save(fresh().vm, 'cpu'));
    expect(b.box.state.getBig('miscEnable')).toBe(1n);
  });

  test('a guest that uses SVM is refused with the way out', async () => {
    const a = fresh();
    a.box.state.setBig('efer', 0x1d01n);
    await expect(load(fresh().vm, 'cpu', 12, await save(a.vm, 'cpu'))).rejects.toThrow(/-svm/);
  });
});
