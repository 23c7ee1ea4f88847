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
  'ECDHE+AESGCM',
  'DHE+AESGCM',
  'ECDHE+CHACHA20',
].join(':');
/** OpenSSL counts them as no security at all, which is right: nobody is known. */
const ANONYMOUS_CIPHERS = 'ADH-AES128-GCM-SHA256:ADH-AES256-GCM-SHA384:@SECLEVEL=0';

/** Options of a secure context. */
export function contextOptions({ material, versions, endpoint, dhParameters }: TlsCredentials): SecureContextOptions {
  const dh = endpoint === 'server' ? { dhparam: dhParameters ?? 'auto' } : {};
  const common = { minVersion: versions.min, maxVersion: versions.max, ...dh };
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
