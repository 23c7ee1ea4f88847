import type { TlsCredentials } from '@sterna/core';

/** What a client needs to secure its channels: plain data, for the channel's thread. */
export interface TlsClientSetup {
  readonly credentials: TlsCredentials;
  /** Name that the server's certificate must have; needed only where certificates are checked. */
  readonly hostname: string | undefined;
}
