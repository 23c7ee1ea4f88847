import type { Code, Label, Local, Val } from '@sterna/wasm';
import type { Machine, Micro } from '../semantics/machine.ts';

/** Microcode being written in place of a call. */
export interface Frame {
  readonly params: readonly Val[];
  readonly result: Local | undefined;
  readonly end: Label;
}

/** Expands microcode in place: parameters become locals, `return` a branch to its end. */
export class InlineFrames {
  readonly #stack: Frame[] = [];

  /** The innermost expansion. */
  get top(): Frame | undefined {
    return this.#stack[this.#stack.length - 1];
  }

  /** Writes the body of `fn` for the given arguments; returns its result, named. */
  expand(m: Machine & Code, fn: Micro, args: readonly Val[]): Val {
    // locals even for literals: the body may assign its parameters
    const params = args.map((a) => {
      const v = m.local(a.type);
      m.set(v, a as never);
      return v;
    });
    const result = fn.results.length === 0 ? undefined : m.local(fn.results[0]!);
    m.block((end) => {
      this.#stack.push({ params, result, end });
      try {
        fn.body(m);
      } finally {
        this.#stack.pop();
      }
    });
    return result ?? m.i32(0);
  }
}
