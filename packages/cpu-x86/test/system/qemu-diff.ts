import { isVmStateTable } from '@sterna/core';
import { channelPair, StreamWriter, saveVmState } from '@sterna/migration';
import { CpuVmState, cpuSections } from '../../src/vmstate.ts';
import { Box } from './box.ts';
import type { Row } from './delivery-cases.ts';
import { runOnQemu } from './qemu-peer.ts';

const RAM = 4 << 20;

async function cpuSection(b: Box): Promise<Uint8Array> {
  const { cpu } = b;
  const vm = new CpuVmState({
    state: cpu.state,
    index: 0,
    stateChanged: () => cpu.stateChanged(),
    get rflags() {
      return cpu.rflags;
    },
    set rflags(v) {
      cpu.rflags = v;
    },
  });
  cpu.state.setBig('fpuFip', 1n);
  const { vmstate } = cpuSections(vm).find((s) => s.idstr === 'cpu')!;
  if (!isVmStateTable(vmstate)) throw new Error('no table');
  const [there, here] = channelPair();
  const writer = new StreamWriter(there);
  saveVmState(writer, vmstate, vm);
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for (let c = await here.read(); c !== undefined; c = await here.read()) chunks.push(c.slice());
  })();
  await writer.flush();
  await there.end();
  await reading;
  return Buffer.concat(chunks);
}

const hex = (v: bigint | number, n: number): string => BigInt(v).toString(16).padStart(n, '0');

/** Register lines in QEMU's form, without what the two print differently. */
function ours(b: Box): Record<string, string> {
  const s = b.state;
  const out: Record<string, string> = {};
  const names = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI'];
  for (let r = 0; r < 16; r++) out[names[r] ?? `R${r}`] = hex(b.reg(r), 16);
  out['RIP'] = hex(s.getBig('rip'), 16);
  out['RFL'] = hex(b.cpu.rflags, 8);
  out['CPL'] = String(s.get('cpl'));
  ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].forEach((name, i) => {
    out[name] =
      `${hex(s.get('segSel', i), 4)} ${hex(s.getBig('segBase', i), 16)} ${hex(s.get('segLimit', i), 8)} ${hex(s.get('segFlags', i) & 0xf0ff00, 8)}`;
  });
  out['TR'] = `${hex(s.get('trSel'), 4)} ${hex(s.getBig('trBase'), 16)}`;
  for (const cr of ['cr0', 'cr4'] as const) out[cr.toUpperCase()] = hex(s.getBig(cr), 8);
  for (const cr of ['cr2', 'cr3'] as const) out[cr.toUpperCase()] = hex(s.getBig(cr), 16);
  out['DR6'] = hex(s.getBig('dr', 6), 16);
  out['DR7'] = hex(s.getBig('dr', 7), 16);
  out['EFER'] = hex(s.getBig('efer'), 16);
  return out;
}

function theirs(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  const wide = (v: string): string => v.padStart(16, '0');
  for (const [, name, value] of text.matchAll(/\b(R[A-Z0-9]{1,2}|E[A-DS][XIP]|EIP|EFL|E[BS]P) ?=([0-9a-f]+)/g)) {
    if (name === 'RFL' || name === 'EFL') out['RFL'] = value!;
    else out[name!.replace(/^E/, 'R')] = wide(value!);
  }
  out['CPL'] = /CPL=(\d)/.exec(text)?.[1] ?? '';
  for (const [, name, sel, base, limit, flags] of text.matchAll(
    /\b([C-GS]S) =([0-9a-f]{4}) ([0-9a-f]+) ([0-9a-f]{8}) ([0-9a-f]{8})/g,
  )) {
    out[name!] = `${sel} ${wide(base!)} ${limit} ${hex(Number.parseInt(flags!, 16) & 0xf0ff00, 8)}`;
  }
  const tr = /TR =([0-9a-f]{4}) ([0-9a-f]+)/.exec(text);
  if (tr) out['TR'] = `${tr[1]} ${wide(tr[2]!)}`;
  for (const [, name, value] of text.matchAll(/\b(CR[0234]|DR[67]|EFER)=([0-9a-f]+)/g)) {
    out[name!] = name === 'CR0' || name === 'CR4' ? value!.slice(-8) : wide(value!);
  }
  return out;
}

/** Runs a fixture here and on a real QEMU. Returns what differs in registers and RAM. */
export async function compareWithQemu(row: Row): Promise<string[]> {
  const b = new Box({}, row.features);
  b.enter(row.mode);
  b.code(row.mode, row.code);
  row.setup?.(b);
  b.cpu.stateChanged();
  const start = new Uint8Array(b.view.buffer, b.view.byteOffset, RAM).slice();
  const peer = await runOnQemu(await cpuSection(b), start, Object.keys(row.features ?? {}));
  const exit = b.run(100000);
  if ((exit === 1) !== peer.halted)
    return [`exit ${exit}, QEMU ${peer.halted ? 'halted' : 'did not halt'}: ${peer.registers.slice(0, 1600)}`];
  if (exit !== 1) return [];
  const differences: string[] = [];
  const mine = ours(b);
  const other = theirs(peer.registers);
  for (const [name, value] of Object.entries(mine)) {
    if (other[name] !== undefined && other[name] !== value) differences.push(`${name}: ${value} / QEMU ${other[name]}`);
  }
  const ram = new Uint8Array(b.view.buffer, b.view.byteOffset, RAM);
  let bytes = 0;
  for (let at = 0; at < RAM; at++) {
    if (at >= 0xa0000 && at < 0x100000) continue;
    // QEMU before 9.0 pushes no RF
    if (at % 4 === 2 && (ram[at]! ^ peer.ram[at]!) === 1) continue;
    if (ram[at] === peer.ram[at] || bytes++ > 8) continue;
    differences.push(
      `byte ${at.toString(16)}: ${hex(ram[at]!, 2)} / QEMU ${hex(peer.ram[at]!, 2)} (before ${hex(start[at]!, 2)})`,
    );
  }
  return differences;
}
