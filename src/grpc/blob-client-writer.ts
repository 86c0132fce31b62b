/**
 * Writes one blob to a gRPC server.
 */
import { copyBytes, equalBytes, toHex } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import { alreadyClosed } from "../castore/blob/memory.js";
import type { BlobWriter, StoredBlob } from "../castore/blob/service.js";
import { B3Hasher } from "../castore/digest.js";
import type { PutBlobResponse__Output } from "../gen/tvix/castore/v1/PutBlobResponse.js";
import type { Channel } from "./channel.js";
import type { BlobServiceDefinition } from "./definitions.js";
import { retrying } from "./retry.js";
import type { Upload } from "./upload.js";

/** Messages are of this size: servers of all kinds take 4 MiB, and large ones cost the least. */
const MESSAGE_BYTES = 1024 * 1024;

type BlobUpload = Upload<Uint8Array, PutBlobResponse__Output>;

export class GrpcBlobWriter implements BlobWriter {
  readonly #channel: Channel;
  readonly #method: BlobServiceDefinition["Put"];
  readonly #signal: AbortSignal | undefined;
  readonly #hasher = new B3Hasher();
  /** Bytes not sent yet, less than a message. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #size = 0;
  #upload: BlobUpload | undefined;
  #result: Promise<StoredBlob> | undefined;

  constructor(
    channel: Channel,
    method: BlobServiceDefinition["Put"],
    signal: AbortSignal | undefined,
  ) {
    this.#channel = channel;
    this.#method = method;
    this.#signal = signal;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#result !== undefined) throw alreadyClosed();
    this.#size += bytes.length;
    this.#hasher.update(bytes);
    let rest = bytes;
    while (this.#partsBytes + rest.length >= MESSAGE_BYTES) {
      const part = rest.subarray(0, MESSAGE_BYTES - this.#partsBytes);
      rest = rest.subarray(part.length);
      const message = this.#parts.length === 0 ? part : Buffer.concat([...this.#parts, part]);
      this.#parts = [];
      this.#partsBytes = 0;
      this.#upload ??= this.#start();
      await this.#upload.write(message);
    }
    if (rest.length === 0) return;
    this.#parts.push(copyBytes(rest));
    this.#partsBytes += rest.length;
  }

  close(): Promise<StoredBlob> {
    this.#result ??= this.#publish();
    return this.#result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#result?.catch(() => {});
    this.#upload?.cancel();
    this.#parts = [];
  }

  #start(): BlobUpload {
    return this.#channel.upload(this.#method, { signal: this.#signal });
  }

  async #publish(): Promise<StoredBlob> {
    const rest = Buffer.concat(this.#parts);
    this.#parts = [];
    const answer =
      this.#upload === undefined
        ? await retrying(() => finish(this.#start(), rest), this.#signal)
        : await finish(this.#upload, rest);
    const digest = this.#hasher.finish();
    if (!equalBytes(digest.bytes, answer.digest)) {
      const found = toHex(answer.digest);
      throw new StoreError(
        "corrupt",
        `${this.#channel.address} stored blob ${digest} with the digest ${found} (hex)`,
      );
    }
    return { digest, size: this.#size };
  }
}

async function finish(upload: BlobUpload, rest: Uint8Array): Promise<PutBlobResponse__Output> {
  if (rest.length > 0) await upload.write(rest);
  return await upload.finish();
}
