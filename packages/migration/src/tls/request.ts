import type { MigrationParameters } from '../parameters.ts';

/** How channels are to be secured: the parameters `tls-creds`, `tls-hostname` and `tls-authz`. */
export interface TlsRequest {
  /** Id of a `tls-creds-...` object. */
  readonly credentials: string;
  /** Name that the server's certificate must have; that of the address when empty. */
  readonly hostname: string;
  /** Id of an `authz-...` object that the client's certificate must pass; empty for none. */
  readonly authorization: string;
}

/** What the parameters ask for; undefined when channels are plain. */
export function tlsRequest(parameters: Readonly<MigrationParameters>): TlsRequest | undefined {
  if (parameters['tls-creds'] === '') return undefined;
  return {
    credentials: parameters['tls-creds'],
    hostname: parameters['tls-hostname'],
    authorization: parameters['tls-authz'],
  };
}
