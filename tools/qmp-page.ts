import { type AnyCommand, type AnyEvent, COMMANDS, EVENTS, type QapiType } from '@sterna/qmp';

/** Types with more text than this are told by the names of their members. */
const LONG = 240;

/** A type in a line: `{ size: int, format?: utf8 | base64 }`. */
function typeText(type: QapiType<unknown>, depth = 0): string {
  switch (type.kind) {
    case 'object':
      return objectText(type, depth);
    case 'array':
      return `[${typeText(type.element!, depth)}]`;
    case 'enum':
      return type.values!.length === 0 || type.values!.length > 24 ? 'str' : type.values!.join(' \\| ');
    case 'alternate':
      return type.choices!.map((choice) => typeText(choice, depth)).join(' or ');
    case 'lazy':
      return depth > 2 ? '…' : typeText(type.target!(), depth + 1);
    default:
      return type.kind;
  }
}

function objectText({ members = {}, variants = {}, tag }: QapiType<unknown>, depth: number): string {
  if (depth > 3) return '{ … }';
  const parts = memberTexts(members, depth);
  for (const [word, variant] of Object.entries(variants))
    if (Object.keys(variant.members ?? {}).length > 0)
      parts.push(`with ${tag} ${word}: ${memberTexts(variant.members ?? {}, depth).join(', ')}`);
  return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`;
}

function memberTexts(members: Readonly<Record<string, QapiType<unknown>>>, depth: number): string[] {
  return Object.entries(members).map(
    ([name, type]) => `${name}${type.optional === true ? '?' : ''}: ${typeText(type, depth + 1)}`,
  );
}

function short(type: QapiType<unknown>): string {
  const text = typeText(type);
  if (text.length <= LONG) return text;
  const inner = type.kind === 'array' ? type.element! : type;
  const names = Object.entries(inner.members ?? {}).map(
    ([name, { optional }]) => `${name}${optional === true ? '?' : ''}`,
  );
  const list = `{ ${names.join(', ')} }`;
  return type.kind === 'array' ? `[${list}]` : list;
}

function commandRow([name, { help, arguments: args, returns, features = [], allowOob }]: [string, AnyCommand]): string {
  const notes: string[] = [...features.filter((feature) => feature === 'unstable' || feature === 'deprecated')];
  if (allowOob === true) notes.push('out of band');
  const told = notes.length === 0 ? help : `${help} (${notes.join(', ')})`;
  return `| \`${name}\` | ${told} | ${short(args)} | ${short(returns)} |`;
}

function eventRow([name, { help, data }]: [string, AnyEvent]): string {
  return `| \`${name}\` | ${help} | ${short(data)} |`;
}

const sorted = <T>(table: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1));

/** `docs/reference/qmp.md`. */
export function qmpPage(): string {
  return [
    '# QMP',
    '',
    'Commands and events of the control socket (`-qmp`). Generated from their declarations in `packages/qmp`, from which the',
    "checks of the server, the types of `QmpClient` and the answer of `query-qmp-schema` come too. Names and forms are QEMU's;",
    'where they differ the [interop page](interop.md) says why. A `?` marks what may be left out. Values that plugins add (block',
    'drivers, types of objects) are in `query-qmp-schema` only.',
    '',
    'Out-of-band execution (`{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`, then `exec-oob`) follows QEMU:',
    'commands that allow it overtake those that wait, up to eight commands wait, and further input stays unread until then.',
    '',
    '## Commands',
    '',
    '| command | does | arguments | answers |',
    '|---|---|---|---|',
    ...sorted(COMMANDS as Readonly<Record<string, AnyCommand>>).map(commandRow),
    '',
    '## Events',
    '',
    '| event | when | data |',
    '|---|---|---|',
    ...sorted(EVENTS as Readonly<Record<string, AnyEvent>>).map(eventRow),
    '',
  ].join('\n');
}
