/** What mapped-ram needs of a channel that is a file. */

/** An outgoing channel with places. */
export interface FileOutput {
  /** Where in the file the stream begins. */
  readonly start: number;
  /** What is written to the channel from now on goes to this offset of the file, and behind. */
  seek(offset: number): void;
}

/** An incoming channel with places. */
export interface FileInput {
  /** Where in the file the stream begins. */
  readonly start: number;
  /** The channel's next `read` begins at this offset of the file. */
  seek(offset: number): void;
  /** Reads bytes at an offset of the file. @returns how many: fewer only where it ends @throws TransportError */
  readAt(target: Uint8Array, offset: number): Promise<number>;
  /** Memory is about to be filled by {@link FileInput.readPages}; whatever makes that faster may be done. */
  prepare?(memory: Uint8Array): void;
  /**
   * Reads whole pages into aligned memory, which may be shared. Several reads may be under way.
   *
   * @returns how many bytes were read: fewer only where the file ends
   * @throws TransportError
   */
  readPages(target: Uint8Array, offset: number): Promise<number>;
}
