/**
 * Uploads one closure of directories to a gRPC server.
 */
import { equalBytes, toHex } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import type { B3Digest } from "../castore/digest.js";
import { ClosureCheck } from "../castore/directory/closure-check.js";
import type { DirectoryPutter } from "../castore/directory/service.js";
import type { Directory } from "../castore/directory.js";
import type { PutDirectoryResponse__Output } from "../gen/tvix/castore/v1/PutDirectoryResponse.js";
import type { Channel } from "./channel.js";
import type { DirectoryServiceDefinition } from "./definitions.js";
import type { Upload } from "./upload.js";

type DirectoryUpload = Upload<Uint8Array, PutDirectoryResponse__Output>;

/** Checks the rules before anything is sent, so that an error comes with the directory at fault. */
export class GrpcDirectoryPutter implements DirectoryPutter {
  readonly #channel: Channel;
  readonly #method: DirectoryServiceDefinition["Put"];
  readonly #signal: AbortSignal | undefined;
  readonly #check = new ClosureCheck();
  #upload: DirectoryUpload | undefined;
  #root: Promise<B3Digest> | undefined;
  #isOver = false;

  constructor(
    channel: Channel,
    method: DirectoryServiceDefinition["Put"],
    signal: AbortSignal | undefined,
  ) {
    this.#channel = channel;
    this.#method = method;
    this.#signal = signal;
  }

  async put(directory: Directory): Promise<void> {
    if (this.#isOver || this.#root !== undefined) throw uploadOver();
    try {
      if (!this.#check.add(directory)) return;
      this.#upload ??= this.#channel.upload(this.#method, { signal: this.#signal });
      await this.#upload.write(directory.bytes);
    } catch (error) {
      this.#isOver = true;
      this.#upload?.cancel();
      throw error;
    }
  }

  close(): Promise<B3Digest> {
    if (this.#isOver) return Promise.reject(uploadOver());
    this.#root ??= this.#finish();
    return this.#root;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#root === undefined) {
      this.#isOver = true;
      this.#upload?.cancel();
    }
    await this.#root?.catch(() => {});
  }

  async #finish(): Promise<B3Digest> {
    try {
      const root = this.#check.finish();
      const answer = await (this.#upload as DirectoryUpload).finish();
      if (equalBytes(answer.root_digest, root.bytes)) return root;
      throw new StoreError(
        "corrupt",
        `${this.#channel.address} stored directory ${root} with the digest ${toHex(answer.root_digest)} (hex)`,
      );
    } catch (error) {
      this.#upload?.cancel();
      throw error;
    }
  }
}

function uploadOver(): StoreError {
  return new StoreError(
    "invalid-argument",
    "Cannot go on with an upload that failed or was closed",
  );
}
