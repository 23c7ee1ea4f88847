/** From credentials to what Node's tls takes. The channel's thread loads this, so it imports only types from core. */
import type { SecureContextOptions } from 'node:tls';
import type { TlsCredentials } from '@sterna/core';

/** TLS 1.3 takes the shorter keys for speed; the others are for peers that stop at 1.2. All have forward secrecy. */
const PSK_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-PSK-CHACHA20-POLY1305',
  'DHE-PSK-AES128-GCM-SHA256',
  'DHE-PSK-AES256-GCM-SHA384',
].join(':');
const X509_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE+AESGCM',
  'DHE+AESGCM',
  'ECDHE+CHACHA20',
].join(':');
/** OpenSSL counts them as no security at all, which is right: nobody is known. */
const ANONYMOUS_CIPHERS = 'ADH-AES128-GCM-SHA256:ADH-AES256-GCM-SHA384:@SECLEVEL=0';

/**
 * In TLS 1.3 OpenSSL's server sends session tickets after the handshake, and Node has no way to stop it. A QEMU without a
 * return path never reads them: when it closes its socket at the end, the kernel answers with a reset because of them, and
 * what we have not read yet of the stream is gone.
 */
const SERVER_VERSION = 'TLSv1.2';

/** Options of a secure context. @throws RangeError when a server is not to speak TLS 1.2 */
export function contextOptions({ material, versions, endpoint, dhParameters }: TlsCredentials): SecureContextOptions {
  if (endpoint === 'server' && versions.min > SERVER_VERSION)
    throw new RangeError("a server needs TLS 1.2 here, which 'priority' leaves out");
  const dh = endpoint === 'server' ? { dhparam: dhParameters ?? 'auto' } : {};
  const maxVersion = endpoint === 'server' ? SERVER_VERSION : versions.max;
  const common = { minVersion: versions.min, maxVersion, ...dh };
  switch (material.type) {
    case 'psk':
      return { ...common, ciphers: PSK_CIPHERS };
    case 'anon':
      return { ...common, ciphers: ANONYMOUS_CIPHERS };
    case 'x509': {
      const { ca, crl, certificate, key, passphrase } = material;
      return {
        ...common,
        ciphers: X509_CIPHERS,
        ca,
        ...(crl === undefined ? {} : { crl }),
        ...(certificate === undefined ? {} : { cert: certificate }),
        ...(key === undefined ? {} : { key }),
        ...(passphrase === undefined ? {} : { passphrase }),
      };
    }
  }
}
