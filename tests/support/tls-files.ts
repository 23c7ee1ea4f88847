/** Credentials directories as QEMU's TLS objects read them, made while a test runs. */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const PURPOSES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

x509.cryptoProvider.set(webcrypto as Crypto);

/** A certificate and its private key, in PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate says. */
export interface IdentityOptions {
  /** Distinguished name: `C=GB, O=Example, CN=client`. */
  readonly name: string;
  readonly purpose: 'server' | 'client';
  /** Host names and addresses it is for. */
  readonly hosts?: readonly string[];
  /** Days from now on which it begins and ends to be valid. */
  readonly days?: readonly [from: number, to: number];
}

/** A certificate authority of its own. */
export class TestAuthority {
  readonly certificate: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: CryptoKeyPair) {
    this.certificate = certificate.toString('pem');
    this.#certificate = certificate;
    this.#keys = keys;
  }

  static async create(name = 'CN=Test authority'): Promise<TestAuthority> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name,
      keys,
      signingAlgorithm: ALGORITHM,
      serialNumber: serial(),
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(certificate, keys);
  }

  async issue({ name, purpose, hosts = [], days: [from, to] = [-1, 1] }: IdentityOptions): Promise<Identity> {
    const keys = await newKeys();
    const names = hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const), value }));
    const certificate = await x509.X509CertificateGenerator.create({
      subject: name,
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      serialNumber: serial(),
      notBefore: new Date(Date.now() + from * DAY_MS),
      notAfter: new Date(Date.now() + to * DAY_MS),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([PURPOSES[purpose]]),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ],
    });
    return { certificate: certificate.toString('pem'), key: await pem(keys.privateKey) };
  }

  /** A list of certificates that are not good any more. */
  async revoke(...identities: readonly Identity[]): Promise<string> {
    const crl = await x509.X509CrlGenerator.create({
      issuer: this.#certificate.subject,
      thisUpdate: new Date(Date.now() - DAY_MS),
      nextUpdate: new Date(Date.now() + DAY_MS),
      signingAlgorithm: ALGORITHM,
      signingKey: this.#keys.privateKey,
      entries: identities.map(({ certificate }) => ({
        serialNumber: new x509.X509Certificate(certificate).serialNumber,
        revocationDate: new Date(Date.now() - DAY_MS),
      })),
    });
    // OpenSSL and GnuTLS want its whole name.
    return crl.toString('pem').replaceAll(/(BEGIN|END) CRL/g, '$1 X509 CRL');
  }
}

/** Makes a directory for `tls-creds-x509`. */
export function x509Directory(
  path: string,
  files: {
    readonly ca: string;
    readonly crl?: string;
    readonly server?: Identity | undefined;
    readonly client?: Identity | undefined;
  },
): string {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'ca-cert.pem'), files.ca);
  if (files.crl !== undefined) writeFileSync(join(path, 'ca-crl.pem'), files.crl);
  for (const end of ['server', 'client'] as const) {
    const identity = files[end];
    if (identity === undefined) continue;
    writeFileSync(join(path, `${end}-cert.pem`), identity.certificate);
    writeFileSync(join(path, `${end}-key.pem`), identity.key);
  }
  return path;
}

/** Makes a directory for `tls-creds-psk`. */
export function pskDirectory(path: string, keys: Readonly<Record<string, string>>): string {
  mkdirSync(path, { recursive: true });
  writeFileSync(
    join(path, 'keys.psk'),
    Object.entries(keys)
      .map(([name, key]) => `${name}:${key}\n`)
      .join(''),
  );
  return path;
}

/** A key as psktool(1) makes it. */
export function newPsk(): string {
  return randomBytes(32).toString('hex');
}

function newKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;
}

async function pem(key: CryptoKey): Promise<string> {
  const body = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${body.replace(/(.{64})/g, '$1\n').trim()}\n-----END PRIVATE KEY-----\n`;
}

function serial(): string {
  // Positive, as RFC 5280 wants it.
  return `01${randomBytes(8).toString('hex')}`;
}
