/**
 * Blobs of a gRPC server.
 */
import { isStoreError, StoreError } from "../base/errors.js";
import { readChunks } from "../castore/blob/chunked-read.js";
import { BytesReader } from "../castore/blob/memory.js";
import type {
  BlobReader,
  BlobService,
  BlobWriter,
  CallOptions,
  ChunkMeta,
} from "../castore/blob/service.js";
import { B3Digest } from "../castore/digest.js";
import type { StatBlobResponse__Output } from "../gen/tvix/castore/v1/StatBlobResponse.js";
import { cutOut, GrpcBlobReader } from "./blob-client-reader.js";
import { resumed } from "./blob-client-resumed.js";
import { verified } from "./blob-client-verified.js";
import { GrpcBlobWriter } from "./blob-client-writer.js";
import type { Channel } from "./channel.js";
import { type BlobServiceDefinition, serviceDefinitions } from "./definitions.js";

/** Blobs up to this size are fetched when they are opened: one question instead of two. */
const SMALL_BYTES_MAX = 1024 * 1024;

/**
 * What arrives is checked against its digest: small blobs before they are handed out, streams of large
 * ones before their last piece. Parts of large blobs come through their chunks where the server knows
 * some, each checked, else from the beginning of the blob, dropped up to where they start.
 *
 * Questions are repeated when the server is away for a moment. A stream that is cut goes on where it was:
 * with the chunks that are left where the server knows some, else from the beginning of the blob, dropped up
 * to there; its digest is that of what was handed out, so that nothing else can come in between. An absent
 * blob is `undefined`, anything else that goes wrong is thrown.
 */
export class GrpcBlobService implements BlobService {
  readonly #channel: Channel;
  readonly #methods: BlobServiceDefinition = serviceDefinitions("tvix").blobs;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return (await this.#stat(digest, false, options)) !== undefined;
  }

  /** The signal of `options` ends what the reader does, too. */
  async openRead(digest: B3Digest, options: CallOptions = {}): Promise<BlobReader | undefined> {
    const content = this.#read(digest, options);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    try {
      while (bytes <= SMALL_BYTES_MAX) {
        const next = await content.next();
        if (next.done) return new BytesReader(Buffer.concat(pieces));
        pieces.push(next.value);
        bytes += next.value.length;
      }
    } catch (error) {
      if (isStoreError(error, "not-found")) return undefined;
      throw error;
    }
    return new GrpcBlobReader({
      begun: { pieces, rest: content },
      read: () => this.#read(digest, options),
      chunks: async () => (await this.chunks(digest, options)) ?? [],
      openChunk: (chunk) => this.openRead(chunk, options),
    });
  }

  /** The upload begins when more is written than is worth holding back; until then it can be repeated. */
  async openWrite({ signal }: CallOptions = {}): Promise<BlobWriter> {
    return new GrpcBlobWriter(this.#channel, this.#methods.Put, signal);
  }

  async chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined> {
    const answer = await this.#stat(digest, true, options);
    return answer?.chunks.map((chunk) => ({
      digest: this.#chunkDigest(digest, chunk.digest),
      size: Number(chunk.size),
    }));
  }

  #read(digest: B3Digest, { signal }: CallOptions): AsyncGenerator<Uint8Array> {
    const request = { digest: digest.bytes };
    const download = () => this.#channel.download(this.#methods.Read, request, { signal });
    return verified(
      resumed(download, (offset) => this.#rest(digest, offset, download, signal)),
      digest,
    );
  }

  /** What follows the first `offset` bytes. */
  async *#rest(
    digest: B3Digest,
    offset: number,
    download: () => AsyncGenerator<Uint8Array>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const options = signal && { signal };
    const chunks = await this.chunks(digest, options);
    if (chunks === undefined) {
      throw new StoreError(
        "dangling-reference",
        `Blob ${digest} was taken from ${this.#channel.address} while it was read`,
      );
    }
    const range = { offset };
    if (chunks.length <= 1) yield* cutOut(download(), range);
    else yield* readChunks(chunks, range, (chunk) => this.openRead(chunk, options));
  }

  async #stat(
    digest: B3Digest,
    sendChunks: boolean,
    options: CallOptions = {},
  ): Promise<StatBlobResponse__Output | undefined> {
    const request = { digest: digest.bytes, send_chunks: sendChunks };
    try {
      return await this.#channel.ask(this.#methods.Stat, request, options);
    } catch (error) {
      if (isStoreError(error, "not-found")) return undefined;
      throw error;
    }
  }

  #chunkDigest(blob: B3Digest, bytes: Uint8Array): B3Digest {
    if (bytes.length === B3Digest.LENGTH_BYTES) return B3Digest.from(bytes);
    throw new StoreError(
      "corrupt",
      `${this.#channel.address} names a chunk of blob ${blob} with ${bytes.length} bytes of digest`,
    );
  }
}
