import { authzList, authzSimple } from '../../objects/authorization.ts';
import type { ObjectType } from '../../objects/define-object.ts';
import { authzListFile } from './authz-list-file.ts';
import { secret } from './secret.ts';
import { tlsCredsAnon } from './tls-creds-anon.ts';
import { tlsCredsPsk } from './tls-creds-psk.ts';
import { tlsCredsX509 } from './tls-creds-x509.ts';

/** Objects about who may connect and how: secrets, TLS credentials, access lists. */
export const securityObjects: readonly ObjectType[] = [
  secret,
  tlsCredsX509,
  tlsCredsPsk,
  tlsCredsAnon,
  authzList,
  authzListFile,
  authzSimple,
];
