/** The client's end of a secured channel. The channel's thread loads this, so it imports only types from core. */
import type { Socket } from 'node:net';
import type tls from 'node:tls';
import type { TlsClientSetup } from '../tls/channel-setup.ts';
import { explainCertificate, explainHandshake } from '../tls/explain.ts';
import { contextOptions } from './tls-options.ts';

/** A channel could not be secured. */
export class TlsFailure extends Error {
  override readonly name = 'TlsFailure';
}

/**
 * Secures a connected socket.
 *
 * @throws TlsFailure naming the channel, the certificate or name, and what to do
 */
export function secureClient(name: string, socket: Socket, setup: TlsClientSetup): Promise<tls.TLSSocket> {
  const { credentials, hostname } = setup;
  const { material, verifyPeer } = credentials;
  const checked = material.type === 'x509' && verifyPeer;
  const failure = (why: string, cause?: unknown) => new TlsFailure(`${name}: TLS: ${why}`, { cause });
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    if (checked && hostname === undefined) {
      refuse(failure("there is no host name to check the server's certificate against; set tls-hostname"));
      return;
    }
    // Loaded where it is wanted: it takes longer than all else in the thread.
    const { connect } = process.getBuiltinModule('node:tls');
    let secured: tls.TLSSocket;
    try {
      secured = connect({
        ...contextOptions(credentials),
        socket,
        // Checked below, to say more than Node does.
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...(material.type === 'psk'
          ? { pskCallback: () => ({ psk: material.keys[material.username]!, identity: material.username }) }
          : {}),
      });
    } catch (error) {
      refuse(failure(`the credentials in ${credentials.directory} cannot be used: ${(error as Error).message}`, error));
      return;
    }
    const failed = (error: Error) => refuse(failure(explainHandshake(error), error));
    secured.once('error', failed);
    const closed = () => failed(new Error('the other side broke the connection off; its log says why'));
    secured.once('close', closed);
    secured.once('secureConnect', () => {
      const wrong = wrongServer(secured, setup);
      if (wrong !== undefined) {
        secured.on('error', () => {});
        secured.destroy();
        refuse(failure(wrong));
        return;
      }
      secured.removeListener('close', closed);
      secured.removeListener('error', failed);
      resolve(secured);
    });
  });
}

/** What is wrong with the server, if anything. */
function wrongServer(socket: tls.TLSSocket, { credentials, hostname }: TlsClientSetup): string | undefined {
  const { material, verifyPeer } = credentials;
  const certificate = socket.getPeerCertificate();
  if (material.type === 'psk') {
    // TLS 1.3 lets a server that does not know the key show a certificate in its place, which proves nothing here.
    return certificate.raw === undefined
      ? undefined
      : `the server does not use the key of '${material.username}', but a certificate; it needs tls-creds-psk too`;
  }
  if (material.type === 'anon' || !verifyPeer) return undefined;
  const subject = `'${certificate.subject?.CN ?? 'without a name'}'`;
  // Node's types say Error; at run time it is the code.
  if (!socket.authorized)
    return `the server's certificate ${subject} ${explainCertificate(String(socket.authorizationError))}`;
  if (process.getBuiltinModule('node:tls').checkServerIdentity(hostname!, certificate) === undefined) return undefined;
  const names = certificate.subjectaltname ?? `CN=${certificate.subject?.CN}`;
  return `the server's certificate is for ${names}, not for '${hostname}'; connect by one of these names, or set tls-hostname to one`;
}

/** What a secured channel says when it breaks: a server that refuses a client closes without a word. */
export function securedFailure(message: string, cause?: unknown): Error {
  const { code } = (cause ?? {}) as { readonly code?: string };
  const hint =
    code === 'EPIPE' || code === 'ECONNRESET' ? ' (did the other side refuse our certificate? its log says why)' : '';
  return new Error(message + hint, { cause });
}
