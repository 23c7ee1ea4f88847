import type { ObjectContext } from './define-object.ts';

/** Versions of TLS, as a priority string limits them. */
export interface TlsVersions {
  readonly min: 'TLSv1.2' | 'TLSv1.3';
  readonly max: 'TLSv1.2' | 'TLSv1.3';
}

/** Certificates in PEM. */
export interface TlsX509 {
  readonly type: 'x509';
  readonly ca: string;
  readonly crl: string | undefined;
  /** Both absent on a client that shows none. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly passphrase: string | undefined;
}

/** Keys that both sides know. */
export interface TlsPsk {
  readonly type: 'psk';
  /** Whom the client says it is. */
  readonly username: string;
  /** Keys by username; a client has its own only. */
  readonly keys: Readonly<Record<string, Uint8Array>>;
}

/** Nothing: the connection is secret, but nobody knows with whom. */
export interface TlsAnonymous {
  readonly type: 'anon';
}

/** A `tls-creds-...` object: plain data, so that it can be given to another thread. */
export interface TlsCredentials {
  readonly kind: 'tls-credentials';
  /** Name of the type, for messages. */
  readonly typeName: string;
  readonly endpoint: 'client' | 'server';
  /** Whether the other side's certificate is checked. */
  readonly verifyPeer: boolean;
  readonly versions: TlsVersions;
  readonly material: TlsX509 | TlsPsk | TlsAnonymous;
  /** Parameters of Diffie and Hellman's exchange in PEM, where the server has its own. */
  readonly dhParameters: string | undefined;
  /** Where they came from, for messages. */
  readonly directory: string;
}

/**
 * The credentials of that id.
 *
 * @throws RangeError when there are none, or for the other end of connections
 */
export function findTlsCredentials(
  objects: ObjectContext,
  id: string,
  endpoint: TlsCredentials['endpoint'],
): TlsCredentials {
  const value = objects.find(id)?.value as Partial<TlsCredentials> | undefined;
  if (value === undefined) throw new RangeError(`No TLS credentials with id '${id}'`);
  if (value.kind !== 'tls-credentials') throw new RangeError(`Object with id '${id}' is not TLS credentials`);
  const credentials = value as TlsCredentials;
  if (credentials.endpoint !== endpoint)
    throw new RangeError(
      `Expected TLS credentials for a ${endpoint} endpoint, '${id}' has endpoint=${credentials.endpoint}`,
    );
  return credentials;
}
