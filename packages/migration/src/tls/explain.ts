/** What OpenSSL and Node call it, and what it means for somebody who migrates. */
const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired; make a new one',
  CERT_NOT_YET_VALID: 'is not valid yet; are the clocks of both hosts right?',
  CERT_REVOKED: 'has been revoked',
  CRL_HAS_EXPIRED: 'cannot be checked, because ca-crl.pem has expired',
  CERT_REJECTED: 'is not meant for this purpose (extended key usage)',
  INVALID_PURPOSE: 'is not meant for this purpose (extended key usage)',
  UNABLE_TO_GET_CRL: 'cannot be checked, because ca-crl.pem has no list of its authority',
};
const NOT_ISSUED = 'was not issued by an authority of ca-cert.pem; both sides need the same authority';

/** Why a certificate is not accepted, to follow "the certificate of X". @param code - Of Node's `authorizationError` */
export function explainCertificate(code: string): string {
  if (Object.hasOwn(REASONS, code)) return REASONS[code]!;
  return code.includes('ISSUER') || code.includes('SELF_SIGNED') || code.includes('VERIFY_LEAF')
    ? NOT_ISSUED
    : `is not accepted (${code})`;
}

/** Alerts of the other side (RFC 8446, 6.2) and failures of the first bytes, by a part of OpenSSL's code. */
const HANDSHAKE: readonly (readonly [part: string, meaning: string])[] = [
  ['ALERT_UNKNOWN_CA', 'the other side does not know the authority of our certificate'],
  ['ALERT_CERTIFICATE_EXPIRED', 'the other side says that our certificate has expired'],
  ['ALERT_CERTIFICATE_REVOKED', 'the other side says that our certificate has been revoked'],
  ['CERTIFICATE_REQUIRED', 'the other side wants a certificate; put client-cert.pem and client-key.pem into dir='],
  ['ALERT_BAD_CERTIFICATE', 'the other side does not accept our certificate'],
  ['UNKNOWN_PSK_IDENTITY', 'the other side does not know the username; it needs a line in its keys.psk'],
  ['PSK_IDENTITY_NOT_FOUND', 'the username has no line in keys.psk'],
  ['BINDER_DOES_NOT_VERIFY', 'the keys of the username differ; both sides need the same keys.psk'],
  ['ALERT_DECRYPT_ERROR', 'the keys differ; both sides need the same keys.psk'],
  ['BAD_RECORD_MAC', 'the keys differ; both sides need the same keys.psk'],
  ['ALERT_HANDSHAKE_FAILURE', 'the two sides have no way in common; are their credentials of the same kind?'],
  ['ALERT_INSUFFICIENT_SECURITY', 'the other side wants stronger algorithms'],
  ['NO_SHARED_CIPHER', 'the two sides have no way in common; are their credentials of the same kind?'],
  ['NO_SUITABLE_SIGNATURE', 'the two sides have no way in common; are their credentials of the same kind?'],
  ['ALERT_PROTOCOL_VERSION', 'the two sides have no version of TLS in common'],
  ['UNSUPPORTED_PROTOCOL', 'the two sides have no version of TLS in common'],
  ['WRONG_VERSION_NUMBER', 'the other side does not speak TLS; set its tls-creds too'],
  ['PACKET_LENGTH_TOO_LONG', 'the other side does not speak TLS; set its tls-creds too'],
  ['HTTP_REQUEST', 'the other side does not speak TLS; set its tls-creds too'],
  [
    'ECONNRESET',
    'the other side broke the connection off; its log says why (no TLS there, or our credentials refused?)',
  ],
  ['EPIPE', 'the other side broke the connection off; its log says why'],
];

/** Why a handshake failed. */
export function explainHandshake(error: Error & { readonly code?: string }): string {
  const code = error.code ?? '';
  const found = HANDSHAKE.find(([part]) => code.includes(part));
  return found === undefined ? `${error.message}${code === '' ? '' : ` (${code})`}` : `${found[1]} (${code})`;
}
