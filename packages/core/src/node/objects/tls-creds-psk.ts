import { prop } from '../../device/properties.ts';
import { defineObject } from '../../objects/define-object.ts';
import type { TlsCredentials } from '../../objects/tls-credentials.ts';
import { parseTlsPriority } from '../../objects/tls-priority.ts';
import { CredentialFiles, TLS_PROPERTIES } from './tls-common.ts';

/** Whom a client says it is when it is not told. */
const DEFAULT_USERNAME = 'qemu';

/** Keys that both sides have. The directory holds `keys.psk` with one `username:hex` in each line, as psktool(1) makes it. */
export const tlsCredsPsk = defineObject({
  name: 'tls-creds-psk',
  description: 'TLS credentials: keys that both sides have',
  properties: {
    ...TLS_PROPERTIES,
    username: prop.optionalString({ help: `whom a client says it is (${DEFAULT_USERNAME} by default)` }),
  },
  create({ dir, endpoint, username, priority, 'verify-peer': verifyPeer }): TlsCredentials {
    if (endpoint === 'server' && username !== undefined)
      throw new RangeError("'username' is for clients; a server takes every name of its file");
    const files = new CredentialFiles(dir);
    const all = parseKeys(files.required('keys.psk'), files.path('keys.psk'));
    const name = username ?? DEFAULT_USERNAME;
    let keys = all;
    if (endpoint === 'client') {
      const own = Object.hasOwn(all, name) ? all[name] : undefined;
      if (own === undefined) throw new RangeError(`there is no key of '${name}' in ${files.path('keys.psk')}`);
      keys = { [name]: own };
    }
    return {
      kind: 'tls-credentials',
      typeName: 'tls-creds-psk',
      endpoint,
      verifyPeer,
      versions: parseTlsPriority(priority),
      material: { type: 'psk', username: name, keys },
      dhParameters: endpoint === 'server' ? files.optional('dh-params.pem') : undefined,
      directory: dir ?? '',
    };
  },
});

function parseKeys(text: string, file: string): Record<string, Uint8Array> {
  const keys: Record<string, Uint8Array> = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const match = /^([^:]+):\s*((?:[0-9a-f]{2})+)\s*$/i.exec(line);
    // A name that begins with # is in hexadecimal itself.
    if (match === null) throw new RangeError(`${file}, line ${index + 1}: expected username:hexadecimal-key`);
    const name = /^#(?:[0-9a-f]{2})+$/i.test(match[1]!) ? Buffer.from(match[1]!.slice(1), 'hex').toString() : match[1]!;
    keys[name] = new Uint8Array(Buffer.from(match[2]!, 'hex'));
  }
  return keys;
}
