import { closeSync, constants, readFileSync } from 'node:fs';
import { SternaError } from '../errors.ts';
import { hostLibrary } from './chardev/host-library.ts';

/** Where sets are found as if they were files. */
const FDSET = '/dev/fdset/';

/** Whether a file name stands for a set of passed descriptors. */
export function isDescriptorSet(path: string): boolean {
  return path.startsWith(FDSET);
}

/** A descriptor in a set. */
export interface SetDescriptor {
  readonly fd: number;
  /** The client's own note. */
  readonly opaque?: string | undefined;
}

/** A numbered set of descriptors: the same file opened in different ways (QEMU's fdset). */
export interface DescriptorSet {
  readonly id: number;
  readonly fds: readonly SetDescriptor[];
}

/**
 * Descriptors that clients passed to this process, by name (`getfd`) or in numbered sets (`add-fd`, used as
 * `/dev/fdset/N`). It owns them until somebody takes one.
 */
export class PassedDescriptors implements Disposable {
  readonly #named = new Map<string, number>();
  readonly #sets = new Map<number, SetDescriptor[]>();

  /** Keeps a descriptor under a name; one that had the name before is closed. @throws SternaError for a name that begins with a digit */
  add(name: string, fd: number): void {
    if (/^\d/.test(name)) {
      closeSync(fd);
      throw new SternaError(
        'STERNA_ERR_OPTION_VALUE',
        `Parameter 'fdname' expects a name not starting with a digit, '${name}' is for inherited descriptors`,
      );
    }
    const before = this.#named.get(name);
    if (before !== undefined) closeSync(before);
    this.#named.set(name, fd);
  }

  /** Gives a named descriptor away: whoever takes it closes it. Undefined when there is none. */
  take(name: string): number | undefined {
    const fd = this.#named.get(name);
    this.#named.delete(name);
    return fd;
  }

  /** Whether there is one of that name. */
  has(name: string): boolean {
    return this.#named.has(name);
  }

  /** Closes a named descriptor. @throws SternaError when there is none */
  close(name: string): void {
    const fd = this.take(name);
    if (fd === undefined) throw notFound(name);
    closeSync(fd);
  }

  /** Adds a descriptor to a set; without an id to a new one, with the lowest free number. Answers the set's id. */
  addToSet(fd: number, id?: number, opaque?: string): number {
    if (id !== undefined && (!Number.isSafeInteger(id) || id < 0)) {
      closeSync(fd);
      throw new SternaError('STERNA_ERR_OPTION_VALUE', "Parameter 'fdset-id' expects a non-negative value");
    }
    let free = 0;
    while (this.#sets.has(free)) free++;
    const place = id ?? free;
    const set = this.#sets.get(place) ?? [];
    set.push({ fd, opaque });
    this.#sets.set(place, set);
    return place;
  }

  /** Closes one descriptor of a set, or all. @throws SternaError when there is no such set or descriptor */
  removeFromSet(id: number, fd?: number): void {
    const set = this.#sets.get(id);
    const going = set?.filter((entry) => fd === undefined || entry.fd === fd) ?? [];
    if (set === undefined || going.length === 0)
      throw notFound(fd === undefined ? `fdset-id:${id}` : `fdset-id:${id}, fd:${fd}`);
    for (const entry of going) closeSync(entry.fd);
    const staying = set.filter((entry) => !going.includes(entry));
    if (staying.length === 0) this.#sets.delete(id);
    else this.#sets.set(id, staying);
  }

  /**
   * Copies the descriptor of a set that was opened for reading or writing; the caller closes the copy.
   *
   * @param path - `/dev/fdset/N`
   * @param direct - Takes one with direct access (O_DIRECT), else one without
   * @throws SternaError when there is no such set, or none of its descriptors serves
   */
  copyFromSet(path: string, access: 'read' | 'write', direct = false): number {
    const set = this.#sets.get(Number(path.slice(FDSET.length)));
    if (set === undefined) throw new SternaError('STERNA_ERR_OPTION_VALUE', `Failed to find fdset ${path}`);
    const fitting = set.find(({ fd }) => allows(fd, access, direct));
    const copy = fitting === undefined ? -1 : (hostLibrary()?.call.dup(fitting.fd) ?? -1);
    if (copy >= 0) return copy;
    const how = direct ? `${access} with direct access (O_DIRECT)` : access;
    throw new SternaError('STERNA_ERR_OPTION_VALUE', `no descriptor of ${path} was opened to ${how}`);
  }

  /** Closes a descriptor that nobody keeps. */
  discard(fd: number): void {
    closeSync(fd);
  }

  /** All sets. */
  get sets(): readonly DescriptorSet[] {
    return [...this.#sets].map(([id, fds]) => ({ id, fds }));
  }

  /** Closes everything that nobody took. */
  [Symbol.dispose](): void {
    for (const fd of this.#named.values()) closeSync(fd);
    for (const set of this.#sets.values()) for (const { fd } of set) closeSync(fd);
    this.#named.clear();
    this.#sets.clear();
  }
}

/** Whether the descriptor was opened for this kind of access (proc_pid_fdinfo(5)). */
function allows(fd: number, access: 'read' | 'write', direct: boolean): boolean {
  const text = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
  const flags = Number.parseInt(text, 8);
  if (direct !== ((flags & (constants.O_DIRECT ?? 0)) !== 0)) return false;
  const mode = flags & 3;
  return mode === 2 || mode === (access === 'read' ? 0 : 1);
}

function notFound(name: string): SternaError {
  return new SternaError('STERNA_ERR_OPTION_VALUE', `File descriptor named '${name}' not found`);
}
