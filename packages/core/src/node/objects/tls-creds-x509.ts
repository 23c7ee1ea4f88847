import { prop } from '../../device/properties.ts';
import { defineObject } from '../../objects/define-object.ts';
import { findSecret } from '../../objects/secret.ts';
import type { TlsCredentials, TlsX509 } from '../../objects/tls-credentials.ts';
import { parseTlsPriority } from '../../objects/tls-priority.ts';
import { checkCertificates } from './check-certificates.ts';
import { CredentialFiles, TLS_PROPERTIES } from './tls-common.ts';

/**
 * Certificates. The directory holds `ca-cert.pem`, perhaps `ca-crl.pem`, and `server-cert.pem` with `server-key.pem`, or
 * `client-cert.pem` with `client-key.pem`, which a client may lack; a server may have `dh-params.pem`.
 */
export const tlsCredsX509 = defineObject({
  name: 'tls-creds-x509',
  description: 'TLS credentials: certificates',
  properties: {
    ...TLS_PROPERTIES,
    'sanity-check': prop.bool({ help: 'whether the certificates are checked at once', default: true }),
    passwordid: prop.optionalString({ help: 'id of the secret that the private key is encrypted with' }),
  },
  create(properties, context): TlsCredentials {
    const { endpoint, passwordid } = properties;
    const files = new CredentialFiles(properties.dir);
    const names = { ca: 'ca-cert.pem', certificate: `${endpoint}-cert.pem`, key: `${endpoint}-key.pem` };
    const ca = files.required(names.ca);
    const required = endpoint === 'server';
    const certificate = required ? files.required(names.certificate) : files.optional(names.certificate);
    const key = certificate === undefined ? undefined : files.required(names.key);
    const material: TlsX509 = {
      type: 'x509',
      ca,
      crl: files.optional('ca-crl.pem'),
      certificate,
      key,
      passphrase:
        passwordid === undefined ? undefined : Buffer.from(findSecret(context, passwordid).bytes).toString('utf8'),
    };
    if (properties['sanity-check']) checkCertificates(material, endpoint, (name) => files.path(names[name]));
    return {
      kind: 'tls-credentials',
      typeName: 'tls-creds-x509',
      endpoint,
      verifyPeer: properties['verify-peer'],
      versions: parseTlsPriority(properties.priority),
      material,
      dhParameters: required ? files.optional('dh-params.pem') : undefined,
      directory: properties.dir ?? '',
    };
  },
});
