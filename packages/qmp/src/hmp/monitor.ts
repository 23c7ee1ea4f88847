import type { CharBackend, CharFrontend } from '@sterna/core';
import { type MonitorTarget, QEMU_VERSION } from '../target.ts';
import { LineEditor } from './line-editor.ts';
import { completeHmp, runHmp } from './run-hmp.ts';

/** QEMU's prompt, which scripts wait for. */
const PROMPT = '(qemu) ';

/** The human monitor on a character backend: a prompt, lines, answers. */
export class HmpMonitor implements CharFrontend, Disposable {
  readonly #backend: CharBackend;
  readonly #target: MonitorTarget;
  readonly #editor: LineEditor;
  #greeted = false;
  #busy = false;
  /** Output that waits for room. */
  #pending: Uint8Array[] = [];
  #waiting = false;

  constructor(backend: CharBackend, target: MonitorTarget) {
    this.#backend = backend;
    this.#target = target;
    this.#editor = new LineEditor({
      write: (text) => this.#write(text),
      line: (text) => void this.#run(text),
      complete: completeHmp,
    });
    backend.attach(this);
  }

  canReceive(): number {
    // One at a time: what stands behind a line waits for that line's answer.
    return this.#busy || this.#pending.length > 0 ? 0 : 1;
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.#editor.key(byte);
  }

  event(event: 'opened' | 'closed' | 'break'): void {
    if (event === 'closed') {
      // Another reader of a socket is greeted anew.
      if (!this.#backend.connected) this.#greeted = false;
      return;
    }
    if (event !== 'opened') return;
    if (!this.#greeted) {
      const { major, minor, micro } = QEMU_VERSION;
      this.#write(
        `Sterna ${this.#target.version} monitor (commands of QEMU ${major}.${minor}.${micro}) - type 'help' for more information\r\n`,
      );
    }
    this.#greeted = true;
    if (!this.#busy) this.#write(`${PROMPT}${this.#editor.text}`);
  }

  [Symbol.dispose](): void {
    this.#backend.attach(undefined);
  }

  async #run(line: string): Promise<void> {
    this.#busy = true;
    this.#write(await runHmp(line, { target: this.#target, cpuIndex: 0 }));
    this.#busy = false;
    this.#write(PROMPT);
    this.#backend.acceptInput();
  }

  #write(text: string): void {
    if (text === '') return;
    this.#pending.push(new TextEncoder().encode(text));
    if (!this.#waiting) this.#flush();
  }

  #flush(): void {
    while (this.#pending.length > 0) {
      const chunk = this.#pending[0]!;
      const taken = this.#backend.write(chunk);
      if (taken === chunk.length) this.#pending.shift();
      else {
        this.#pending[0] = chunk.subarray(taken);
        this.#waiting = true;
        this.#backend.onWritable(() => {
          this.#waiting = false;
          this.#flush();
          this.#backend.acceptInput();
        });
        return;
      }
    }
  }
}
