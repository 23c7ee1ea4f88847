import { wasmHost } from '@sterna/core';
import { handlerTables, X86Engine } from '../../src/engine.ts';
import { Handler } from '../../src/interp/records.ts';
import type { Jit } from '../../src/jit/jit.ts';
import { JIT_DEFAULTS, type JitOptions } from '../../src/jit/jit-options.ts';
import { decodeRegions } from '../../src/jit/plan-message.ts';
import { type PlannedRegion, printRegions } from '../../src/jit/print-module.ts';
import type { RegionTranslator, TranslatedRegions, TranslationJob } from '../../src/jit/region-translator.ts';
import { CPU_MAP } from '../../src/state/memory-map.ts';
import { Rig } from '../rig.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));

/** Loops at different addresses, each ended by the way into the next one. All counts are large enough to become hot. */
export const PROGRAM: readonly (readonly [at: number, code: string])[] = [
  // mov ecx, 2000; l: add eax, ecx; imul eax, eax, 3; dec ecx; jnz l; jmp 0x2ff0
  [0x1000, 'b9 d0070000 01c8 6bc003 ffc9 75f7 e9 dd1f0000'],
  // across a page: mov ecx, 2000; l: adc rbx, rax; call f; add rax, 7; dec ecx; jnz l; jmp 0x5000
  [0x2ff0, 'b9 d0070000 4811c3 e8 23000000 4883c007 ffc9 75f0 e9 f61f0000'],
  // f: push rbx; xor [rsp], rcx; pop rbx; ret
  [0x3020, '53 48310c24 5b c3'],
  // mov ecx, 2000; l: mov [0x6000+rcx*4], eax; shl eax, 1; sbb edx, edx; add [0x6000+rcx*4], edx; dec ecx; jnz l; hlt
  [0x5000, 'b9 d0070000 89048d00600000 d1e0 19d2 01148d00600000 ffc9 75ea f4'],
];

/** The address that control flow ends after. */
export const START = 0x1000;

/** A CPU about to run {@link PROGRAM}. */
export function rigWith(options: Partial<JitOptions>, translator?: RegionTranslator): Rig {
  const host = translator === undefined ? {} : { translator };
  const rig = new Rig(1 << 20, {}, (memory) => new X86Engine(memory, { ...JIT_DEFAULTS, ...options }, host));
  rig.mode(64);
  for (const [at, code] of PROGRAM) rig.bytes.set(hex(code), rig.at(at));
  restart(rig);
  return rig;
}

/** Starts the program anew. */
export function restart(rig: Rig): void {
  const { state } = rig.cpu;
  for (let r = 0; r < 16; r++) state.setBig('regs', r === 4 ? 0x9000n : BigInt(r) * 0x1111n, r);
  rig.cpu.rflags = 2;
  state.setBig('rip', BigInt(START));
  state.set('halted', 0);
}

/** Runs to the HLT in slices. `between` is called between them. Answers the state at the end. */
export function runAll(rig: Rig, between: () => void = () => {}): string {
  let executed = 0;
  for (let exit = 0; exit !== 1; ) {
    exit = rig.cpu.run(500);
    executed += rig.cpu.executed;
    if (exit !== 0 && exit !== 1) throw new Error(`exit ${exit}`);
    between();
  }
  const s = rig.cpu.state;
  const regs = Array.from({ length: 16 }, (_, i) => s.getBig('regs', i).toString(16));
  const ram = Buffer.from(rig.bytes.slice(rig.at(0x6000), rig.at(0x9000))).toString('base64');
  return [executed, ...regs, s.getBig('rip').toString(16), rig.cpu.rflags.toString(16), ram].join();
}

/** Does jobs when told to, in this thread, from nothing but the message. */
export class ManualTranslator implements RegionTranslator {
  state: RegionTranslator['state'] = 'ready';
  readonly jobs: { job: TranslationJob; done: (result: TranslatedRegions | undefined) => void }[] = [];
  readonly records = new ArrayBuffer(CPU_MAP.recordsEnd);

  translate(job: TranslationJob, done: (result: TranslatedRegions | undefined) => void): void {
    this.jobs.push({ job, done });
  }

  /** The regions of a job. */
  read({ regions }: TranslationJob): PlannedRegion[] {
    return decodeRegions(regions, new DataView(this.records), handlerTables().handlers, Handler.first);
  }

  /** Answers everything that waits. */
  answer(): void {
    for (const { job, done } of this.jobs.splice(0)) {
      const bytes = printRegions(this.read(job), this.records, job.count);
      done({ module: new wasmHost.Module(bytes), bytes: bytes.length });
    }
  }
}

/** The JIT of a rig. */
export function jitOf(rig: Rig): Jit {
  return rig.cpu.engine.jit;
}
