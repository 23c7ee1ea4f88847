import type { EventLoop, HostClock, MachineHost } from '@sterna/core';

/** Host clock and event loop that only a test moves. */
export class FakeHost {
  ns = 1_000_000_000;
  readonly #soon: (() => void)[] = [];
  readonly #later: { at: number; callback: () => void; live: boolean }[] = [];
  readonly log: string[] = [];

  readonly clock: HostClock = {
    monotonicNs: () => this.ns,
    wallNs: () => 1_700_000_000_000_000_000n + BigInt(this.ns),
  };

  readonly loop: EventLoop = {
    soon: (callback) => void this.#soon.push(callback),
    after: (ms, callback) => {
      const entry = { at: this.ns + ms * 1e6, callback, live: true };
      this.#later.push(entry);
      return {
        cancel: () => {
          entry.live = false;
        },
      };
    },
  };

  readonly host: MachineHost = {
    clock: this.clock,
    loop: this.loop,
    entropy: { fill: (bytes) => bytes.fill(0x5a) },
    files: { write: () => {}, append: () => {} },
    log: (level, source, text) => void this.log.push(`${level} ${source}: ${text}`),
    tscHz: 2e9,
  };

  /** Runs callbacks until `done` or nothing is left; idle time passes at once. */
  run(done: () => boolean, limit = 100_000): void {
    for (let i = 0; i < limit && !done(); i++) {
      const next = this.#soon.shift();
      if (next !== undefined) {
        next();
        continue;
      }
      const live = this.#later.filter((entry) => entry.live).sort((a, b) => a.at - b.at);
      const first = live[0];
      if (first === undefined) return;
      first.live = false;
      this.ns = Math.max(this.ns, first.at);
      first.callback();
    }
  }
}
