/** A ring of bytes in the shape of QEMU's Fifo8, whose buffer, head and count travel as they are. */
export class Fifo8 {
  readonly data: Uint8Array;
  head = 0;
  num = 0;

  constructor(capacity: number) {
    this.data = new Uint8Array(capacity);
  }

  /** True when no byte fits. */
  get full(): boolean {
    return this.num === this.data.length;
  }

  /** True when there is nothing to take. */
  get empty(): boolean {
    return this.num === 0;
  }

  /** Appends a byte; the caller has checked `full`. */
  push(byte: number): void {
    this.data[(this.head + this.num) % this.data.length] = byte;
    this.num++;
  }

  /** Removes the oldest byte; the caller has checked `empty`. */
  pop(): number {
    const byte = this.data[this.head]!;
    this.head = (this.head + 1) % this.data.length;
    this.num--;
    return byte;
  }

  reset(): void {
    this.head = 0;
    this.num = 0;
  }

  /** @throws RangeError when a loaded ring points outside its buffer. */
  check(name: string): void {
    if (this.num > this.data.length)
      throw new RangeError(`${name}: ${this.num} bytes in a FIFO of ${this.data.length}`);
    if (this.head >= this.data.length) {
      throw new RangeError(`${name}: head ${this.head} outside a FIFO of ${this.data.length}`);
    }
  }
}
