/** A time limit that counts only while this process runs: after the host was suspended, everybody gets time to go on. */
export class Patience {
  #left: number;

  constructor(ms: number) {
    this.#left = ms;
  }
  get over(): boolean {
    return this.#left <= 0;
  }
  /** So much time has passed for a process that runs. @returns whether it is over */
  tick(ms: number): boolean {
    this.#left -= ms;
    return this.over;
  }
  /** Waits a little. */
  async pause(ms = 10): Promise<void> {
    await delay(ms);
    this.tick(ms);
  }
}

/** Waits. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
