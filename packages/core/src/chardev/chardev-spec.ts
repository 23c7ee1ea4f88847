import { parseSize } from '../device/properties.ts';
import { ConfigError, unknownNameHint } from '../errors.ts';
import { OptionReader, parseOptionList } from './option-list.ts';

/** How a socket backend comes to its connection. */
export interface SocketMode {
  /** Listens instead of connecting. */
  readonly server: boolean;
  /** A server that holds up the start of the machine until somebody has connected. */
  readonly wait: boolean;
  /** A client that tries again after this many ms when it cannot connect or was cut off; 0: never. */
  readonly reconnectMs: number;
}

/** A character backend as data. */
export type ChardevSpec =
  | { readonly kind: 'null' }
  | {
      readonly kind: 'stdio';
      /** Ctrl-C and Ctrl-\ of the terminal are signals for the emulator instead of bytes for the guest. */
      readonly signal: boolean;
    }
  | { readonly kind: 'file'; readonly path: string; readonly append: boolean; readonly inputPath?: string }
  | { readonly kind: 'ringbuf'; readonly size: number }
  | ({ readonly kind: 'unix'; readonly path: string } & SocketMode)
  | ({ readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly nodelay: boolean } & SocketMode)
  | ({ readonly kind: 'fd'; readonly fd: number } & SocketMode);

/** What `-serial`, `-monitor` and `-qmp` name: nothing, a `-chardev` by id, or a backend of their own. */
export type ChardevTarget =
  | { readonly kind: 'none' }
  | { readonly kind: 'reference'; readonly id: string }
  | {
      readonly kind: 'backend';
      readonly spec: ChardevSpec;
      /** `mon:` in front: the backend is shared with a monitor (Ctrl-A c switches). */
      readonly withMonitor: boolean;
    };

/** A `-chardev` option. */
export interface ChardevOption {
  readonly id: string;
  readonly spec: ChardevSpec;
  /** Several frontends share it, see `CharMux`. */
  readonly mux: boolean;
}

const SHORT_FORMS = ['stdio', 'mon:', 'null', 'none', 'file:', 'unix:', 'tcp:', 'chardev:'];
const BACKENDS = ['stdio', 'null', 'file', 'socket', 'ringbuf', 'memory'];
/** Backends that QEMU has and we do not; named so that the message can say so. */
const UNSUPPORTED = [
  'pty',
  'vc',
  'pipe',
  'serial',
  'parallel',
  'udp',
  'telnet',
  'tn3270',
  'websocket',
  'msmouse',
  'braille',
  'testdev',
  'wctablet',
  'hub',
  'spicevmc',
  'spiceport',
  'dbus',
];

/**
 * Parses the short form of `-serial`, `-monitor` and `-qmp`.
 *
 * @param origin - The option, for messages.
 * @throws ConfigError `STERNA_ERR_CHARDEV` or `STERNA_ERR_OPTION_VALUE`, naming what is wrong.
 */
export function parseChardev(text: string, origin: string): ChardevTarget {
  if (text === 'none') return { kind: 'none' };
  if (text.startsWith('chardev:')) return { kind: 'reference', id: text.slice('chardev:'.length) };
  const withMonitor = text.startsWith('mon:');
  const rest = withMonitor ? text.slice('mon:'.length) : text;
  return { kind: 'backend', spec: parseShortSpec(rest, withMonitor, origin), withMonitor };
}

function parseShortSpec(text: string, withMonitor: boolean, origin: string): ChardevSpec {
  if (text === 'null') return { kind: 'null' };
  // Behind a mux Ctrl-C belongs to the guest: Ctrl-A x is there to leave.
  if (text === 'stdio') return { kind: 'stdio', signal: !withMonitor };
  const colon = text.indexOf(':');
  const scheme = colon < 0 ? text : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (colon >= 0 && scheme === 'file') return fileSpec(rest, origin);
  if (colon >= 0 && scheme === 'unix') {
    const reader = socketReader(rest, 'path', origin);
    return finish({ kind: 'unix', path: reader.required('path'), ...socketMode(reader, origin) }, reader);
  }
  if (colon >= 0 && scheme === 'tcp') {
    const reader = socketReader(rest, 'address', origin);
    const { host, port } = splitHostPort(reader.required('address'), origin);
    const nodelay = readNodelay(reader);
    return finish(
      { kind: 'tcp', host, port: portNumber(port, origin), nodelay, ...socketMode(reader, origin) },
      reader,
    );
  }
  if (UNSUPPORTED.includes(scheme)) throw unsupported(scheme, origin);
  throw new ConfigError(
    'STERNA_ERR_CHARDEV',
    `'${text}' is no character backend; ${unknownNameHint(text, SHORT_FORMS)}`,
    {
      path: origin,
    },
  );
}

/**
 * Parses `-chardev BACKEND,id=ID,...`.
 *
 * @throws ConfigError `STERNA_ERR_CHARDEV` or `STERNA_ERR_OPTION_VALUE`, naming what is wrong.
 */
export function parseChardevOption(text: string): ChardevOption {
  const reader = new OptionReader(parseOptionList(text, 'backend', ['nodelay']), '-chardev');
  const backend = reader.required('backend');
  const id = reader.required('id');
  const origin = `-chardev ${backend},id=${id}`;
  const mux = reader.bool('mux', false);
  const spec = backendSpec(backend, reader, mux, origin);
  reader.finish();
  return { id, mux, spec };
}

function backendSpec(backend: string, reader: OptionReader, mux: boolean, origin: string): ChardevSpec {
  switch (backend) {
    case 'null':
      return { kind: 'null' };
    case 'stdio':
      return { kind: 'stdio', signal: reader.bool('signal', !mux) };
    case 'file': {
      const inputPath = reader.string('input-path');
      const path = reader.required('path');
      const append = reader.bool('append', false);
      return { kind: 'file', path, append, ...(inputPath === undefined ? {} : { inputPath }) };
    }
    case 'ringbuf':
    case 'memory':
      return { kind: 'ringbuf', size: ringSize(reader.string('size'), origin) };
    case 'socket':
      return socketSpec(reader, origin);
  }
  if (UNSUPPORTED.includes(backend)) throw unsupported(backend, origin);
  throw new ConfigError(
    'STERNA_ERR_CHARDEV',
    `'${backend}' is no character backend; ${unknownNameHint(backend, BACKENDS)}`,
    {
      path: origin,
    },
  );
}

function socketSpec(reader: OptionReader, origin: string): ChardevSpec {
  const mode = socketMode(reader, origin);
  const path = reader.string('path');
  const fd = reader.integer('fd', 0, 0x7fff_ffff);
  const host = reader.string('host');
  const port = reader.string('port');
  const nodelay = readNodelay(reader);
  const ways = [path, fd, port].filter((way) => way !== undefined).length;
  if (ways !== 1) {
    throw new ConfigError(
      'STERNA_ERR_OPTION_VALUE',
      "a socket needs exactly one of 'path=', 'host=...,port=' and 'fd='",
      {
        path: origin,
      },
    );
  }
  if (path !== undefined) return { kind: 'unix', path, ...mode };
  if (fd !== undefined) return { kind: 'fd', fd, ...mode };
  return { kind: 'tcp', host: host ?? '', port: portNumber(port!, origin), nodelay, ...mode };
}

function fileSpec(rest: string, origin: string): ChardevSpec {
  // Commas are doubled here as in every option, but `file:` takes no options behind its path.
  const reader = new OptionReader(parseOptionList(rest, 'path'), origin);
  const path = reader.required('path');
  return finish({ kind: 'file', path, append: reader.bool('append', false) }, reader);
}

function socketReader(text: string, implied: string, origin: string): OptionReader {
  return new OptionReader(parseOptionList(text, implied, ['nodelay']), origin);
}

function readNodelay(reader: OptionReader): boolean {
  const delay = reader.bool('delay', true);
  return reader.bool('nodelay', !delay);
}

function socketMode(reader: OptionReader, origin: string): SocketMode {
  const server = reader.bool('server', false);
  const wait = reader.optionalBool('wait');
  const seconds = reader.integer('reconnect', 0, 86_400);
  const reconnectMs = reader.integer('reconnect-ms', 0, 86_400_000) ?? (seconds ?? 0) * 1000;
  if (!server && wait !== undefined) {
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', "'wait' is for servers; a client connects at once", {
      path: origin,
    });
  }
  if (server && reconnectMs > 0) {
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', "'reconnect' is for clients; a server waits for the next one", {
      path: origin,
    });
  }
  return { server, wait: wait ?? server, reconnectMs };
}

/**
 * Splits `HOST:PORT` with an IPv6 host in brackets.
 *
 * @throws ConfigError when there is no port.
 */
export function splitHostPort(address: string, origin: string): { readonly host: string; readonly port: string } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]+)$/.exec(address);
  if (match === null) {
    throw new ConfigError(
      'STERNA_ERR_OPTION_VALUE',
      `'${address}' is not HOST:PORT (an IPv6 host stands in brackets)`,
      { path: origin },
    );
  }
  return { host: match[1] ?? match[2]!, port: match[3]! };
}

function portNumber(text: string, origin: string): number {
  const port = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${text}' is not a port number`, { path: origin });
}

function ringSize(text: string | undefined, origin: string): number {
  if (text === undefined) return 65_536;
  const size = parseSize(text);
  if (size > 0 && size <= 2 ** 30 && Number.isInteger(Math.log2(size))) return size;
  throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${text}': the size of a ringbuf is a power of two up to 1G`, {
    path: origin,
  });
}

function finish<T extends ChardevSpec>(spec: T, reader: OptionReader): T {
  reader.finish();
  return spec;
}

function unsupported(name: string, origin: string): ConfigError {
  return new ConfigError(
    'STERNA_ERR_UNSUPPORTED',
    `character backend '${name}' exists in QEMU but not here; use stdio, file, socket, ringbuf or null`,
    {
      path: origin,
    },
  );
}
