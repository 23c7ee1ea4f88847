import { parseSize, SternaError } from '@sterna/core';

/** A parsed migration address, in the shape of QAPI's MigrationAddress. */
export type MigrationAddress =
  | { readonly transport: 'socket'; readonly type: 'inet'; readonly host: string; readonly port: number }
  | { readonly transport: 'socket'; readonly type: 'unix'; readonly path: string }
  | { readonly transport: 'socket'; readonly type: 'fd'; readonly str: string }
  | { readonly transport: 'exec'; readonly args: readonly string[] }
  | { readonly transport: 'file'; readonly filename: string; readonly offset: number };

/**
 * Parses `tcp:host:port`, `unix:path`, `fd:name`, `exec:command` and
 * `file:name[,offset=N]`. An IPv6 host stands in brackets; `tcp::port` means every address.
 *
 * @throws SternaError `STERNA_ERR_OPTION_VALUE`, naming the schemes that exist.
 */
export function parseMigrationUri(uri: string): MigrationAddress {
  const colon = uri.indexOf(':');
  const [scheme, rest] = colon < 0 ? [uri, ''] : [uri.slice(0, colon), uri.slice(colon + 1)];
  switch (scheme) {
    case 'tcp':
      return inet(uri, rest);
    case 'unix':
      if (rest === '') throw bad(uri, 'a unix uri needs a path');
      return { transport: 'socket', type: 'unix', path: rest };
    case 'fd':
      if (rest === '') throw bad(uri, 'an fd uri needs a descriptor name or number');
      return { transport: 'socket', type: 'fd', str: rest };
    case 'exec':
      if (rest === '') throw bad(uri, 'an exec uri needs a command');
      return { transport: 'exec', args: ['/bin/sh', '-c', rest] };
    case 'file':
      return file(uri, rest);
    case 'rdma':
    case 'vsock':
      throw new SternaError('STERNA_ERR_UNSUPPORTED', `migration over '${scheme}' is not available on this host`);
    default:
      throw bad(uri, `unknown scheme '${scheme}'; known are tcp, unix, fd, exec, file`);
  }
}

/** The uri of an address; arguments of a command are joined. */
export function formatMigrationAddress(address: MigrationAddress): string {
  switch (address.transport) {
    case 'exec':
      return `exec:${address.args.at(-1)}`;
    case 'file':
      return `file:${address.filename}${address.offset > 0 ? `,offset=0x${address.offset.toString(16)}` : ''}`;
    case 'socket':
      if (address.type === 'fd') return `fd:${address.str}`;
      if (address.type === 'unix') return `unix:${address.path}`;
      return `tcp:${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
  }
}

/**
 * Takes the address out of QMP's `channels` argument: a list with one `main` channel.
 *
 * @throws SternaError `STERNA_ERR_OPTION_VALUE` or `STERNA_ERR_UNSUPPORTED`
 */
export function parseMigrationChannels(channels: readonly Readonly<Record<string, unknown>>[]): MigrationAddress {
  const main = channels.filter((channel) => channel['channel-type'] === 'main');
  const other = channels.find((channel) => channel['channel-type'] !== 'main');
  if (other !== undefined)
    throw new SternaError(
      'STERNA_ERR_UNSUPPORTED',
      `migration channels of type '${other['channel-type']}' have not landed yet`,
    );
  if (main.length !== 1) throw bad('channels', `expected one main channel, not ${main.length}`);
  const address = (main[0]!['addr'] ?? {}) as Readonly<Record<string, unknown>>;
  const text = (key: string): string => {
    const value = address[key];
    if (typeof value !== 'string' || value === '') throw bad('channels', `'${key}' must be a string`);
    return value;
  };
  switch (address['transport']) {
    case 'socket':
      if (address['type'] === 'unix') return { transport: 'socket', type: 'unix', path: text('path') };
      if (address['type'] === 'fd') return { transport: 'socket', type: 'fd', str: text('str') };
      if (address['type'] === 'inet') return inet('channels', `[${text('host')}]:${address['port']}`);
      throw bad('channels', `socket type '${address['type']}' is not one of inet, unix, fd`);
    case 'exec': {
      const args = address['args'];
      if (!Array.isArray(args) || args.length === 0 || !args.every((arg) => typeof arg === 'string'))
        throw bad('channels', "'args' must be a list of strings");
      return { transport: 'exec', args: args as string[] };
    }
    case 'file': {
      const offset = address['offset'] ?? 0;
      if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0)
        throw bad('channels', "'offset' must be a size");
      return { transport: 'file', filename: text('filename'), offset };
    }
    default:
      throw bad('channels', `transport '${address['transport']}' is not one of socket, exec, file`);
  }
}

function inet(uri: string, rest: string): MigrationAddress {
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})(?:,.*)?$/.exec(rest);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65535) throw bad(uri, 'expected tcp:host:port');
  return { transport: 'socket', type: 'inet', host: match.groups?.['six'] ?? match.groups?.['host'] ?? '', port };
}

function file(uri: string, rest: string): MigrationAddress {
  const match = /^(?<name>.*?)(?:,offset=(?<offset>.*))?$/.exec(rest);
  const filename = match?.groups?.['name'] ?? '';
  if (filename === '') throw bad(uri, 'a file uri needs a file name');
  const text = match?.groups?.['offset'];
  return { transport: 'file', filename, offset: text === undefined ? 0 : parseOffset(uri, text) };
}

function parseOffset(uri: string, text: string): number {
  try {
    return parseSize(text);
  } catch {
    throw bad(uri, `bad offset '${text}'`);
  }
}

function bad(uri: string, why: string): SternaError {
  return new SternaError('STERNA_ERR_OPTION_VALUE', `migration uri '${uri}': ${why}`);
}
