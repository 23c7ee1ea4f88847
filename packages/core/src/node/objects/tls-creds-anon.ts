import { defineObject } from '../../objects/define-object.ts';
import type { TlsCredentials } from '../../objects/tls-credentials.ts';
import { parseTlsPriority } from '../../objects/tls-priority.ts';
import { CredentialFiles, TLS_PROPERTIES } from './tls-common.ts';

/**
 * No credentials: the connection is encrypted, and whoever answers is believed. Anonymous key exchange ended with TLS 1.2.
 * The directory, if there is one, may hold `dh-params.pem` of a server.
 */
export const tlsCredsAnon = defineObject({
  name: 'tls-creds-anon',
  description: 'TLS credentials: none, the connection is encrypted only',
  properties: TLS_PROPERTIES,
  create({ dir, endpoint, priority, 'verify-peer': verifyPeer }): TlsCredentials {
    const { min } = parseTlsPriority(priority);
    if (min === 'TLSv1.3') throw new RangeError('anonymous connections need TLS 1.2, which the priority leaves out');
    const files = dir === undefined || endpoint === 'client' ? undefined : new CredentialFiles(dir);
    return {
      kind: 'tls-credentials',
      typeName: 'tls-creds-anon',
      endpoint,
      verifyPeer,
      versions: { min, max: 'TLSv1.2' },
      material: { type: 'anon' },
      dhParameters: files?.optional('dh-params.pem'),
      directory: dir ?? '',
    };
  },
});
