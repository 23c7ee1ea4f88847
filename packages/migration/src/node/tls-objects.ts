import { findAuthorization, findTlsCredentials, type ObjectContext } from '@sterna/core';
import { TlsError } from '../errors.ts';
import type { TlsClientSetup } from '../tls/channel-setup.ts';
import type { TlsRequest } from '../tls/request.ts';
import { formatMigrationAddress, type MigrationAddress } from '../transport/uri.ts';
import { TlsAcceptor } from './tls-server.ts';

/**
 * What a client needs for the channels of an address.
 *
 * @throws TlsError when the credentials are not there or do not fit, or the address has no connection to secure
 */
export function tlsClient(objects: ObjectContext, request: TlsRequest, address: MigrationAddress): TlsClientSetup {
  return tlsOf(address, () => {
    const host = address.transport === 'socket' && address.type === 'inet' ? address.host || 'localhost' : undefined;
    return {
      credentials: findTlsCredentials(objects, request.credentials, 'client'),
      hostname: request.hostname === '' ? host : request.hostname,
    };
  });
}

/**
 * What a server needs for the channels of an address.
 *
 * @param refused - Told who was not let in, and why
 * @throws TlsError when credentials or access list are not there or do not fit, or the address has no connection to secure
 */
export function tlsAcceptor(
  objects: ObjectContext,
  request: TlsRequest,
  address: MigrationAddress,
  refused: (reason: TlsError) => void,
): TlsAcceptor {
  return tlsOf(
    address,
    () =>
      new TlsAcceptor(
        findTlsCredentials(objects, request.credentials, 'server'),
        request.authorization === '' ? undefined : findAuthorization(objects, request.authorization),
        refused,
      ),
  );
}

function tlsOf<T>(address: MigrationAddress, make: () => T): T {
  const name = formatMigrationAddress(address);
  if (address.transport !== 'socket')
    throw new TlsError(
      `${name}: TLS needs a connection both ways, which ${address.transport} has not; unset tls-creds`,
    );
  try {
    return make();
  } catch (cause) {
    if (cause instanceof TlsError) throw cause;
    throw new TlsError((cause as Error).message, { cause });
  }
}
