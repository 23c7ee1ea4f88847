/** The thread behind `startTranslator`: prints and compiles regions. */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { wasmHost } from '@sterna/core';
import { handlerTables } from '../engine.ts';
import { Handler } from '../interp/records.ts';
import { decodeRegions } from '../jit/plan-message.ts';
import { printRegions } from '../jit/print-module.ts';
import { CPU_MAP } from '../state/memory-map.ts';
import type { AnswerMessage, JobMessage } from './translator-messages.ts';

// the guest comes first where processors are short; elsewhere this would mean the whole process
if (process.platform === 'linux') setPriority(0, 5);

const port = parentPort!;
const { handlers } = handlerTables();
/** Copies of records at their addresses in the machine; only the pages that are used take memory. */
const records = new ArrayBuffer(CPU_MAP.recordsEnd);
const view = new DataView(records);

function answer(message: AnswerMessage): void {
  port.postMessage(message);
}

port.on('message', ({ id, job }: JobMessage) => {
  try {
    const regions = decodeRegions(job.regions, view, handlers, Handler.first);
    const bytes = printRegions(regions, records, job.count);
    answer({ id, module: new wasmHost.Module(bytes), bytes: bytes.length });
  } catch (error) {
    answer({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
answer({ id: -1 });
