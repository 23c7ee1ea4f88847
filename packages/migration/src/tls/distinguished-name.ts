/** Names of attributes in OpenSSL, and in GnuTLS where it has another (those that RFC 4514 and LDAP know are the same). */
const GNUTLS_NAMES: Readonly<Record<string, string>> = {
  emailAddress: 'EMAIL',
  street: 'STREET',
  GN: 'givenName',
  SN: 'surname',
};

/**
 * The name of a certificate's subject as QEMU compares it with an access list: the attributes in the certificate's order,
 * with commas between them and RFC 4514's escapes (`C=GB,O=Example\, Org,CN=client`).
 *
 * @param subject - The name as `X509Certificate.subject` has it: one attribute in each line, escaped already.
 */
export function distinguishedName(subject: string): string {
  return subject
    .split('\n')
    .map((line) => line.split(' + ').map(attribute).join('+'))
    .join(',');
}

function attribute(text: string): string {
  const equals = text.indexOf('=');
  const name = text.slice(0, equals);
  return `${GNUTLS_NAMES[name] ?? name}${text.slice(equals)}`;
}
