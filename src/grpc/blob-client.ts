/**
 * Blobs of a gRPC server.
 */
import { isStoreError, StoreError } from "../base/errors.js";
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
import { GrpcBlobReader } from "./blob-client-reader.js";
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
 * Questions are repeated when the server is away for a moment, streams until their first byte. An absent
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
    return verified(this.#channel.download(this.#methods.Read, request, { signal }), digest);
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
