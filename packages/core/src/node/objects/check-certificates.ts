import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { TlsX509 } from '../../objects/tls-credentials.ts';

/** Extended key usages (RFC 5280, 4.2.1.12), by the end that needs them; the last allows any. */
const PURPOSES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;
const ANY_PURPOSE = '2.5.29.37.0';
/** Certificates between ours and the authority; more are a loop. */
const MAX_CHAIN = 16;

/** What the names of files are asked for. */
type FileOf = (name: 'ca' | 'certificate' | 'key') => string;

/**
 * Whether certificates can do what they are for: valid now, made by the authority, meant for this end, with their key.
 *
 * @throws RangeError naming the file and what is wrong with it
 */
export function checkCertificates(
  { ca, certificate, key, passphrase }: TlsX509,
  endpoint: 'client' | 'server',
  fileOf: FileOf,
): void {
  const authorities = parsed(ca, fileOf('ca'));
  for (const authority of authorities) {
    checkTime(authority, fileOf('ca'));
    if (!authority.ca)
      throw new RangeError(`${fileOf('ca')}: ${named(authority)} is not the certificate of an authority`);
  }
  if (certificate === undefined || key === undefined) return;
  const file = fileOf('certificate');
  const [own, ...between] = parsed(certificate, file);
  checkTime(own!, file);
  const purposes = own!.keyUsage ?? [];
  if (purposes.length > 0 && !purposes.includes(PURPOSES[endpoint]) && !purposes.includes(ANY_PURPOSE))
    throw new RangeError(`${file}: ${named(own!)} is not meant for a TLS ${endpoint} (extended key usage)`);
  checkIssued(own!, between, authorities, file, fileOf('ca'));
  if (!own!.checkPrivateKey(privateKey(key, passphrase, fileOf('key'))))
    throw new RangeError(`${fileOf('key')} is not the private key of ${file}`);
}

function parsed(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END (?:TRUSTED )?CERTIFICATE-----/gs) ?? [];
  if (blocks.length === 0) throw new RangeError(`${file} holds no certificate in PEM`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new RangeError(`${file}: ${(cause as Error).message}`, { cause });
    }
  });
}

function checkTime(certificate: X509Certificate, file: string): void {
  const now = Date.now();
  if (certificate.validFromDate.getTime() > now)
    throw new RangeError(`${file}: ${named(certificate)} is not valid before ${certificate.validFrom}`);
  if (certificate.validToDate.getTime() < now)
    throw new RangeError(`${file}: ${named(certificate)} has expired at ${certificate.validTo}`);
}

function checkIssued(
  own: X509Certificate,
  between: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  file: string,
  authorityFile: string,
): void {
  const issuedBy = (child: X509Certificate) => (parent: X509Certificate) =>
    child.checkIssued(parent) && child.verify(parent.publicKey);
  let child = own;
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    if (authorities.some(issuedBy(child))) return;
    const parent = between.find(issuedBy(child));
    if (parent === undefined || parent === child) break;
    child = parent;
  }
  throw new RangeError(`${file}: ${named(child)} was not issued by an authority of ${authorityFile}`);
}

function privateKey(pem: string, passphrase: string | undefined, file: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    throw new RangeError(`${file}: ${(cause as Error).message}; an encrypted key needs passwordid=`, { cause });
  }
}

function named({ subject }: X509Certificate): string {
  return `'${subject.replaceAll('\n', ',')}'`;
}
