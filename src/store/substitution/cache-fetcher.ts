import type { CallOptions } from "../../castore/blob/service.js";

export interface StreamOptions extends CallOptions {
  /** What the caller has already; 0 unless given. */
  readonly offset?: number;
  /** How large the file is said to be: a large one may come over several connections. */
  readonly size?: number;
}

/** Some bytes of a file. */
export interface FilePart {
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

/**
 * The files of a binary cache, wherever they are. Absence is `undefined`; a failure is never taken for it.
 *
 * Errors are `unavailable` when trying again later may help, `permission-denied` when the cache refuses,
 * `limit-exceeded` for a file that is too large, `invalid-argument` for a place outside the cache, and
 * `aborted` when the caller's signal fires. They name the file.
 */
export interface CacheFetcher {
  /** What the user called the cache, without secrets. */
  readonly address: string;

  /** The whole file called `name`, which has at most `bytesMax` bytes; `undefined` when there is none. */
  read(name: string, bytesMax: number, options?: CallOptions): Promise<Uint8Array | undefined>;

  /**
   * The file at `place`, as a narinfo's `URL` names it, from byte `offset` on, in pieces that are the caller's;
   * `undefined` when there is none. Consume it, or let go of it: until then it holds a connection.
   */
  stream(place: string, options?: StreamOptions): Promise<AsyncIterable<Uint8Array> | undefined>;

  /**
   * A part of the file at `place`, as {@link stream}; `undefined` when there is no such file. It is short where
   * the file is.
   *
   * @throws {StoreError} `unsupported` when this cache gives whole files only.
   */
  part(
    place: string,
    part: FilePart,
    options?: CallOptions,
  ): Promise<AsyncIterable<Uint8Array> | undefined>;

  /** Lets go of connections; streams under way fail. */
  close(): void;
}
