import { QmpError } from '../errors.ts';

/** A property of an object, as `qom-get` and `qom-set` see it. */
export interface QomProperty {
  /** QEMU's name of its type: `bool`, `uint32`, `string`, `child<TYPE>`. */
  readonly type: string;
  readonly description?: string | undefined;
  readonly defaultValue?: unknown;
  /** The value as data. */
  get(): unknown;
  /** Changes it; absent when it cannot be changed. @throws Error with the reason */
  set?(value: unknown): void;
}

/** An object in the tree of a machine's parts (QEMU's object model). */
export interface QomNode {
  /** Name of its type. */
  readonly type: string;
  /** Its own properties, without `type` and children. */
  properties(): Readonly<Record<string, QomProperty>>;
  /** Objects below, by name. */
  children(): Readonly<Record<string, QomNode>>;
}

/** A type of objects. */
export interface QomType {
  readonly name: string;
  readonly parent?: string | undefined;
  readonly abstract?: boolean;
  /** Properties of every object of it. */
  properties?(): Readonly<Record<string, Omit<QomProperty, 'get' | 'set'>>>;
}

/** Makes an object that only holds others. */
export function qomContainer(children: () => Readonly<Record<string, QomNode>>): QomNode {
  return { type: 'container', properties: () => ({}), children };
}

/**
 * Finds an object by its path; a path that does not begin with `/` may leave out the beginning, when that is unambiguous.
 *
 * @throws QmpError `DeviceNotFound`, or `GenericError` for an ambiguous path
 */
export function findObject(root: QomNode, path: string): QomNode {
  const words = path.split('/').filter((word) => word !== '');
  if (path.startsWith('/') || words.length === 0) {
    const found = walk(root, words);
    if (found !== undefined && path !== '') return found;
  } else {
    const [first, second] = matches(root, words);
    if (second !== undefined)
      throw new QmpError('GenericError', `Path '${path}' is ambiguous, it names more than one object`);
    if (first !== undefined) return first;
  }
  throw new QmpError('DeviceNotFound', `Device '${path}' not found`);
}

function walk(from: QomNode, words: readonly string[]): QomNode | undefined {
  let node: QomNode | undefined = from;
  for (const word of words) {
    const children: Readonly<Record<string, QomNode>> = node?.children() ?? {};
    node = Object.hasOwn(children, word) ? children[word] : undefined;
  }
  return node;
}

/** Every object below `from` that the words lead to from some place. */
function matches(from: QomNode, words: readonly string[]): QomNode[] {
  const here = walk(from, words);
  const below = Object.values(from.children()).flatMap((child) => matches(child, words));
  return here === undefined ? below : [here, ...below];
}

/** All properties of an object: `type`, its own, and its children. */
export function propertiesOf(node: QomNode): Readonly<Record<string, QomProperty>> {
  const children = Object.entries(node.children()).map(([name, child]): [string, QomProperty] => [
    name,
    { type: `child<${child.type}>`, get: () => name },
  ]);
  return { type: { type: 'string', get: () => node.type }, ...node.properties(), ...Object.fromEntries(children) };
}
