/**
 * Directories of a gRPC server.
 */
import { isStoreError, messageOf, StoreError } from "../base/errors.js";
import type { CallOptions } from "../castore/blob/service.js";
import type { B3Digest } from "../castore/digest.js";
import type { DirectoryPutter, DirectoryService } from "../castore/directory/service.js";
import type { Directory } from "../castore/directory.js";
import { decodeDirectory } from "../castore/directory-codec.js";
import type { Channel } from "./channel.js";
import { type DirectoryServiceDefinition, serviceDefinitions } from "./definitions.js";
import { GrpcDirectoryPutter } from "./directory-client-putter.js";
import { retrying } from "./retry.js";

/**
 * What arrives is decoded, checked by every rule, and has the digest it was asked for; of a closure nothing
 * arrives that does not belong to it, nothing twice, and nothing is left out.
 *
 * A directory with directories in it cannot be put alone, only after these, see `startPut`: servers refuse
 * it (`invalid-argument`). Questions are repeated when the server is away for a moment, closures until
 * their first directory. What is absent is `undefined`, anything else that goes wrong is thrown.
 */
export class GrpcDirectoryService implements DirectoryService {
  readonly #channel: Channel;
  readonly #methods: DirectoryServiceDefinition = serviceDefinitions("tvix").directories;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    let found: Directory | undefined;
    for await (const directory of this.#download(digest, false, options)) {
      if (found !== undefined || !directory.digest.equals(digest)) throw this.#unasked(directory);
      found = directory;
    }
    return found;
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    return await retrying(async () => {
      await using putter = this.startPut(options);
      await putter.put(directory);
      return await putter.close();
    }, options.signal);
  }

  async *getRecursive(digest: B3Digest, options: CallOptions = {}): AsyncGenerator<Directory> {
    const known = new Set([digest.hex]);
    const expected = new Map([[digest.hex, digest]]);
    for await (const directory of this.#download(digest, true, options)) {
      if (!expected.delete(directory.digest.hex)) throw this.#unasked(directory);
      for (let index = 0; index < directory.count; index++) {
        if (directory.type(index) !== "directory") continue;
        const child = directory.node(index);
        if (child.type !== "directory" || known.has(child.digest.hex)) continue;
        known.add(child.digest.hex);
        expected.set(child.digest.hex, child.digest);
      }
      yield directory;
    }
    const [missing] = expected.values();
    if (missing === undefined || missing === digest) return;
    throw new StoreError(
      "dangling-reference",
      `Directory ${missing} below ${digest} is missing from ${this.#channel.address}`,
    );
  }

  startPut({ signal }: CallOptions = {}): DirectoryPutter {
    return new GrpcDirectoryPutter(this.#channel, this.#methods.Put, signal);
  }

  async *#download(
    digest: B3Digest,
    recursive: boolean,
    { signal }: CallOptions,
  ): AsyncGenerator<Directory> {
    const request = { digest: digest.bytes, recursive };
    try {
      for await (const bytes of this.#channel.download(this.#methods.Get, request, { signal })) {
        yield this.#decode(bytes);
      }
    } catch (error) {
      if (!isStoreError(error, "not-found")) throw error;
    }
  }

  #decode(bytes: Uint8Array): Directory {
    try {
      return decodeDirectory(bytes);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      throw new StoreError("corrupt", `${this.#channel.address} sent one: ${messageOf(error)}`);
    }
  }

  #unasked({ digest }: Directory): StoreError {
    return new StoreError(
      "corrupt",
      `${this.#channel.address} sent directory ${digest}, which was not asked for, or twice`,
    );
  }
}
