import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Authorization, TlsCredentials } from '@sterna/core';
import { TlsError } from '../errors.ts';
import { distinguishedName } from '../tls/distinguished-name.ts';
import { explainCertificate, explainHandshake } from '../tls/explain.ts';
import { contextOptions } from './tls-options.ts';

/** Time a client has to prove who it is, in ms; a stranger who says nothing must not hold a place. */
const HANDSHAKE_MS = 30_000;

/** The server's end of secured channels: takes accepted sockets. */
export class TlsAcceptor {
  readonly #options: tls.TlsOptions;
  readonly #credentials: TlsCredentials;
  readonly #authorization: Authorization | undefined;

  /** Told why somebody was not let in, when others still may. */
  readonly refused: (reason: TlsError) => void;

  /** @throws TlsError when the credentials cannot be used */
  constructor(
    credentials: TlsCredentials,
    authorization: Authorization | undefined,
    refused: (reason: TlsError) => void,
  ) {
    this.refused = refused;
    this.#credentials = credentials;
    this.#authorization = authorization;
    const { material } = credentials;
    this.#options = {
      ...contextOptions(credentials),
      handshakeTimeout: HANDSHAKE_MS,
      // Checked below, to say more than Node does.
      requestCert: material.type === 'x509',
      rejectUnauthorized: false,
      ...(material.type === 'psk'
        ? {
            pskCallback: (_socket: tls.TLSSocket, identity: string) =>
              Object.hasOwn(material.keys, identity) ? material.keys[identity]! : null,
          }
        : {}),
    } as tls.TlsOptions;
    this.#server();
  }

  #server(): tls.Server {
    try {
      return tls.createServer(this.#options);
    } catch (cause) {
      throw new TlsError(
        `the TLS credentials in ${this.#credentials.directory} cannot be used: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  /**
   * Secures an accepted socket.
   *
   * @throws TlsError naming the client and why it is refused; the socket is closed then
   */
  async secure(name: string, socket: Socket): Promise<tls.TLSSocket> {
    const client = socket.remoteAddress === undefined ? 'the client' : `the client ${socket.remoteAddress}`;
    try {
      const secured = await handshake(this.#server(), socket);
      const wrong = this.#wrongClient(secured);
      if (wrong === undefined) return secured;
      secured.on('error', () => {});
      secured.destroy();
      throw new Error(wrong);
    } catch (cause) {
      socket.destroy();
      throw new TlsError(`${name}: TLS with ${client}: ${explainHandshake(cause as Error)}`, { cause });
    }
  }

  /** What is wrong with the client's certificate, if anything. */
  #wrongClient(socket: tls.TLSSocket): string | undefined {
    const { material, verifyPeer } = this.#credentials;
    if (material.type !== 'x509' || !verifyPeer) return undefined;
    const raw = socket.getPeerCertificate(false).raw as Buffer | undefined;
    if (raw === undefined)
      return 'it has no certificate; it needs client-cert.pem, or verify-peer=off here lets everybody in';
    const name = distinguishedName(new X509Certificate(raw).subject);
    if (!socket.authorized) return `its certificate '${name}' ${explainCertificate(String(socket.authorizationError))}`;
    if (this.#authorization?.allows(name) === false)
      return `its certificate '${name}' is not allowed by the tls-authz object`;
    return undefined;
  }
}

/** A server for this one socket: whatever it says is about that. */
function handshake(server: tls.Server, socket: Socket): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error('the client broke the connection off; its log says why'));
    socket.once('close', closed);
    server.once('tlsClientError', reject);
    server.once('secureConnection', (secured) => {
      socket.removeListener('close', closed);
      resolve(secured);
    });
    server.emit('connection', socket);
  });
}
