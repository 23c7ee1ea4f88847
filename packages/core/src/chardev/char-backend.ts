import { type Service, service } from '../container/service.ts';

/** The guest side of a character channel: a UART, a monitor, a QMP server. */
export interface CharFrontend {
  /** How many bytes `receive` can take now. */
  canReceive(): number;
  /** Takes bytes from the host; never more than `canReceive` allowed. */
  receive(bytes: Uint8Array): void;
  /** The other end came (`opened`), went (`closed`) or sent a break. */
  event?(event: 'opened' | 'closed' | 'break'): void;
  /**
   * Takes descriptors that the peer of a unix socket passed, just before the bytes they came with. They belong to the
   * frontend, which closes them. A frontend without this never gets any.
   */
  descriptors?(fds: readonly number[]): void;
}

/** The host side of a character channel: stdio, a file, a socket. One backend serves one frontend (or a mux of them). */
export interface CharBackend {
  /** `-chardev` id, or the name of the option that made it. */
  readonly id: string;
  /** True while somebody is connected; a file or null backend always is. */
  readonly connected: boolean;
  /** Connects the guest side; undefined disconnects it. */
  attach(frontend: CharFrontend | undefined): void;
  /** Sends bytes to the host without blocking; answers how many were taken. Bytes for nobody are dropped and count as taken. */
  write(bytes: Uint8Array): number;
  /** Calls `callback` once when `write` may take bytes again. */
  onWritable(callback: () => void): void;
  /** The frontend has room again: deliver what waits. */
  acceptInput(): void;
  /** Ends the backend: closes sockets and files. */
  close(): Promise<void>;
}
/** The character backend given to a device's `chardev` property. */
export const CharBackend: Service<CharBackend> = service('CharBackend');
