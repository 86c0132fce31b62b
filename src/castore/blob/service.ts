/**
 * Blobs: immutable byte strings, found by the BLAKE3 digest of their content.
 */
import type { B3Digest } from "../digest.js";

export interface CallOptions {
  /** Gives the call up: it then fails with code `aborted`. */
  readonly signal?: AbortSignal;
}

/** One piece of a blob, a blob in its own right. */
export interface ChunkMeta {
  readonly digest: B3Digest;
  /** Length in bytes. */
  readonly size: number;
}

/** A part of a blob, in bytes. Without `length`, everything from `offset` on. */
export interface ByteRange {
  readonly offset: number;
  readonly length?: number;
}

export interface StreamOptions {
  /**
   * The caller is done with each piece before it pulls the next one, which may lie on the same memory. Streams of
   * large blobs take up to three times as long without: the kernel has to find new memory for every piece.
   */
  readonly transient?: boolean;
}

/** Of blobs that can be stored as a whole, see {@link BlobService.putSmall}. */
export const SMALL_BYTES_MAX = 64 * 1024;

export interface BlobService {
  /** Whether the whole blob can be read from here now. */
  has(digest: B3Digest, options?: CallOptions): Promise<boolean>;

  /**
   * Opens a blob for ranged reads; `undefined` when this service lacks it.
   *
   * @throws {StoreError} `dangling-reference` when the service lists the blob but its bytes are gone.
   */
  openRead(digest: B3Digest, options?: CallOptions): Promise<BlobReader | undefined>;

  /**
   * The content of a small blob that can be had without waiting, checked against its digest. It is valid until the
   * next call. `undefined` says nothing: ask with `openRead`. Services that always have to wait lack this.
   *
   * @throws {StoreError} `corrupt` when the content does not match the digest.
   */
  getResident?(digest: B3Digest): Uint8Array | undefined;

  /** Starts a blob whose digest is not known yet; unseen by readers until `close()` resolves. */
  openWrite(options?: CallOptions): Promise<BlobWriter>;

  /**
   * Stores a blob of at most {@link SMALL_BYTES_MAX} bytes whose content is at hand. It may change as soon as this
   * returns. When it resolves the blob is as durable as one that was written piece by piece. Services that gain nothing
   * by it lack this.
   */
  putSmall?(content: Uint8Array): Promise<StoredBlob>;

  /** Finer pieces: `[]` means none are known, `undefined` means the blob is absent. */
  chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined>;
}

/** An open blob. Stateless: calls may overlap. Dispose it when done. */
export interface BlobReader extends AsyncDisposable {
  /** Length of the blob in bytes; `undefined` when only reading to its end would tell. */
  readonly size: number | undefined;

  /**
   * Reads `length` bytes starting at `offset`. Short only at the end of the blob, empty past it. The
   * result is the caller's to keep.
   */
  read(offset: number, length: number): Promise<Uint8Array>;

  /**
   * Streams the blob or a range of it. A stream of the whole blob is checked against its digest before
   * its last piece is handed out; a part cannot be. Pieces may be kept, unless the caller says that it does not;
   * they are not to be written to.
   *
   * @throws {StoreError} `corrupt` when the bytes do not match the digest.
   */
  stream(range?: ByteRange, options?: StreamOptions): AsyncIterable<Uint8Array>;
}

export interface StoredBlob {
  readonly digest: B3Digest;
  /** Length in bytes. */
  readonly size: number;
}

/** Takes the bytes of one new blob, in order. Dispose it when done: that abandons an unclosed blob. */
export interface BlobWriter extends AsyncDisposable {
  /** Appends `bytes`, which must not change until the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;

  /** Publishes the blob. When this resolves it is durable. A second call gives the same answer. */
  close(): Promise<StoredBlob>;
}

/** Stores `content` as one blob. */
export async function putBlob(blobs: BlobService, content: Uint8Array): Promise<StoredBlob> {
  await using writer = await blobs.openWrite();
  await writer.write(content);
  return await writer.close();
}

/** The whole blob in memory; for content known to be small. `undefined` when it is absent. */
export async function getBlob(
  blobs: BlobService,
  digest: B3Digest,
): Promise<Uint8Array | undefined> {
  await using reader = await blobs.openRead(digest);
  if (reader === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of reader.stream()) parts.push(part);
  return Buffer.concat(parts);
}
