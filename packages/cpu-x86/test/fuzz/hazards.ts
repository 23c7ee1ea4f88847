import { Composer } from './composer.ts';
import { little } from './encode.ts';
import { DATA_PAGES } from './places.ts';
import type { Fix } from './program.ts';

/** Parts of programs that make trouble: code that changes, pages that end, devices, faults, and the system's state. */
export class Hazards extends Composer {
  /** An instruction with an immediate that {@link #modify} may change. */
  patchableUnit(): void {
    const r = this.random;
    const wide = this.world.bits === 16 ? 2 : 4;
    const reg = r.pick(this.encoder.free) & 7;
    const label = this.labels++;
    this.labelled.push(label);
    if (r.chance(0.5)) {
      this.patchable.push({ label, at: 1 });
      this.add({ bytes: [0xb8 | reg, ...little(r.u32(), wide)], label });
    } else {
      this.patchable.push({ label, at: 2 });
      this.add({ bytes: [0x83, 0xc0 | reg, r.int(256)], label });
    }
  }

  /** A store into code: an immediate before or behind, anything, or what is there already; at its place or through the second mapping. */
  modify(): void {
    const r = this.random;
    const w = this.world;
    if (r.chance(0.4)) this.patchableUnit();
    const alias = r.chance(0.4);
    // a label used before it is defined names a unit to come
    const ahead = r.chance(0.5);
    let target = r.chance(0.7) ? this.patchable.at(-1 - r.int(4)) : undefined;
    if (ahead) target = { label: this.labels, at: 1 };
    if (target === undefined && this.labelled.length > 0 && r.chance(0.5))
      target = { label: r.pick(this.labelled), at: r.int(3) };
    if (target === undefined) return;
    const address = w.bits === 16 ? 2 : 4;
    const modrm = w.bits === 16 ? [0x06] : w.bits === 32 ? [0x05] : [0x04, 0x25];
    const size = r.pick([1, 1, 1, 2, 4]);
    const wideOp = size === 2 ? (w.bits === 16 ? [] : [0x66]) : size === 4 ? this.wide32() : [];
    const label = target.label;
    const fix = (at: number): Fix => ({ at, bytes: address, label, add: target.at, relative: false, alias });
    const before = wideOp.length;
    const registerForm = r.chance(0.4);
    if (registerForm) {
      // mov [code], register, or a read-modify-write
      const op = r.pick([0x88, 0x88, 0x00, 0x30, 0x86]) + (size === 1 ? 0 : 1);
      this.add({
        bytes: [
          ...wideOp,
          op,
          modrm[0]! | ((r.pick(this.encoder.free) & 3) << 3),
          ...modrm.slice(1),
          ...little(0, address),
        ],
        fixes: [fix(before + 1 + modrm.length)],
      });
    } else {
      const value = Array.from({ length: size }, () => r.int(256));
      this.add({
        bytes: [...wideOp, size === 1 ? 0xc6 : 0xc7, ...modrm, ...little(0, address), ...value],
        fixes: [fix(before + 1 + modrm.length)],
      });
    }
    if (ahead) {
      for (let i = r.int(3); i > 0; i--) this.add(this.encoder.named('mov', 'add', 'inc', 'lea', 'xor'));
      // the label taken above is the next one that is given, unless something between took it
      if (this.labels === label) this.patchableUnit();
      else this.add({ bytes: [0x90], label });
    }
  }

  /** An instruction across the end of a page. */
  crossing(): void {
    const r = this.random;
    const unit = this.encoder.instruction();
    if (unit.bytes.length < 2) return;
    this.add({ ...unit, pageOffset: 0x1000 - r.between(1, unit.bytes.length - 1) });
  }

  device(): void {
    const r = this.random;
    const w = this.world;
    const device = w.bits === 16 ? 0xe000 : w.data + 8 * 0x1000;
    const at =
      device +
      r.weighted([
        [4, r.int(8) * 8],
        [1, r.int(0xff8)],
        [0.5, 0xffc + r.int(4)],
        [0.5, -r.int(4)],
      ]);
    const reg = r.pick(this.encoder.free) & 7;
    const rexW = w.bits === 64 && r.chance(0.3) ? [0x48] : [];
    r.weighted<() => void>([
      [4, () => this.add(this.absolute([...rexW, r.pick([0x88, 0x89])], reg, at))],
      [3, () => this.add(this.absolute([...rexW, r.pick([0x8a, 0x8b])], reg, at))],
      [1, () => this.add(this.absolute([...rexW, r.pick([0x01, 0x31, 0x29, 0x3b, 0x03, 0x87])], reg, at))],
      [0.5, () => this.add(this.absolute([0x0f, r.pick([0x10, 0x11, 0x28, 0x29])], reg, at & ~15))],
      [1, () => this.add({ bytes: [r.pick([0xe4, 0xe5, 0xe6, 0xe7]), r.int(0x40)] })],
    ])();
  }

  fault(): void {
    const r = this.random;
    const w = this.world;
    const reg = r.pick(this.encoder.free) & 7;
    r.weighted<() => void>([
      [1, () => this.add({ bytes: [0x0f, 0x0b] })],
      [1, () => this.add({ bytes: [0xcc] })],
      [1, () => this.add({ bytes: [0xf7, 0xf0 | reg] })],
      [1, () => this.add({ bytes: [0xcd, r.pick([0x20, 0x30, 0x50, 3, 0x57])] })],
      [1, () => this.add({ bytes: [0xf1] })],
      // pages that are read-only, absent, or the supervisor's; reads, writes and accesses that run into them
      [
        4,
        () => {
          const at = w.data + r.pick([3, 5, 7, 5, 3]) * 0x1000 + (r.chance(0.3) ? -r.between(1, 7) : r.int(0x1000));
          const rexW = w.bits === 64 && r.chance(0.5) ? [0x48] : [];
          this.add(this.absolute([...rexW, r.pick([0x01, 0x03, 0x89, 0x8b, 0x89, 0x39, 0x87, 0xff])], reg, at));
        },
      ],
      // a non-canonical address
      [
        1,
        () => {
          if (w.bits === 64)
            this.add({
              bytes: [0x48, 0xb8, ...little(r.u32(), 4), 0, 0x80, r.int(256), 0, r.pick([0x8b, 0x89, 0xff]), 0x10],
              starts: [10],
            });
        },
      ],
      // jumps to nowhere
      [
        0.5,
        () =>
          this.add({
            bytes: [0xb8, ...little(w.data + r.int(DATA_PAGES * 0x1000), w.bits === 16 ? 2 : 4), 0xff, 0xe0],
            starts: [w.bits === 16 ? 3 : 5],
          }),
      ],
      [0.3, () => this.add({ bytes: [0xff, 0xe0 | reg] })],
      [0.5, () => this.add({ bytes: [0xf4] })],
    ])();
  }

  /** Page tables changed by the handlers, and what CPL 0 may do itself. */
  system(): void {
    const r = this.random;
    const w = this.world;
    const wide = w.bits === 16 ? 2 : 4;
    r.weighted<() => void>([
      [
        w.paging ? 4 : 0.1,
        () =>
          this.add({
            bytes: [
              0xb8,
              ...little(r.int(64), wide),
              0xcd,
              r.pick([0x50, 0x51, 0x52, 0x52, 0x52, 0x53, 0x54, 0x55, 0x56]),
            ],
            starts: [1 + wide],
          }),
      ],
      [w.cpl === 0 ? 2 : 0.2, () => this.add({ bytes: [r.pick([0xfa, 0xfb, 0xfb])] })],
      [w.cpl === 0 ? 1 : 0.1, () => this.add({ bytes: [0x8c, 0xd0, 0x8e, 0xd0], starts: [2] })],
      [w.cpl === 0 ? 1 : 0.1, () => this.add({ bytes: [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8], starts: [3] })],
      [
        w.cpl === 0 ? 1 : 0.1,
        () => this.add({ bytes: [0x0f, 0x20, 0xe0, 0x34, 0x80, 0x0f, 0x22, 0xe0], starts: [3, 5] }),
      ],
      [1, () => this.add({ bytes: [0x8c, 0xd8, 0x8e, r.pick([0xd8, 0xc0])], starts: [2] })],
      [w.bits === 64 ? 0.3 : 0, () => this.add({ bytes: [0x31, 0xc0, 0x8e, r.pick([0xd8, 0xc0, 0xe0])], starts: [2] })],
      [w.cpl === 0 ? 0.5 : 0, () => this.add({ bytes: [0x0f, 0x01, 0x38 | r.pick([6, 7])] })],
      [
        0.5,
        () =>
          this.add({
            bytes: r.pick([
              [0x0f, 0xae, 0xf8],
              [0xf3, 0x90],
              [0x0f, 0x01, 0xe0],
              [0x0f, 0x00, 0xc8],
            ]),
          }),
      ],
      [w.bits === 64 && w.cpl === 0 ? 0.3 : 0, () => this.add({ bytes: [0x0f, 0x01, 0xf8] })],
      // STAC, CLAC
      [w.guarded ? 6 : 0.1, () => this.add({ bytes: [0x0f, 0x01, r.pick([0xca, 0xcb])] })],
      // mov rax, cr3; xor al, n; maybe bts rax, 63 to keep the entries; mov cr3, rax: another address space number
      [
        w.guarded ? 2 : 0,
        () => {
          const keep = r.chance(0.5) ? [0x48, 0x0f, 0xba, 0xe8, 0x3f] : [];
          this.add({
            bytes: [0x0f, 0x20, 0xd8, 0x34, r.int(4), ...keep, 0x0f, 0x22, 0xd8],
            starts: keep.length > 0 ? [3, 5, 10] : [3, 5],
          });
        },
      ],
      // MXCSR: rounding, exceptions unmasked, denormals
      [
        1,
        () => {
          const at = w.data + 0x1f0;
          const value = r.pick([0x1f80, 0x1fa0, 0x1f80, 0x3f80, 0x5fbf, 0x7fc0, 0x9f80, 0x1e80, 0xffc0, 0]);
          this.add(this.absolute([...this.wide32(), 0xc7], 0, at, little(value, 4)));
          this.add(this.absolute([0x0f, 0xae], 2, at));
        },
      ],
    ])();
  }
}
