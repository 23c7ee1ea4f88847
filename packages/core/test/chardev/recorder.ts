import type { CharFrontend } from '@sterna/core';

/** A frontend that keeps what it hears, with as much room as a test gives it. */
export class Recorder implements CharFrontend {
  room = Number.POSITIVE_INFINITY;
  text = '';
  readonly events: string[] = [];

  canReceive(): number {
    return this.room;
  }

  receive(bytes: Uint8Array): void {
    this.text += Buffer.from(bytes).toString('latin1');
    this.room -= bytes.length;
  }

  event(event: string): void {
    this.events.push(event);
  }
}

/** Bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
