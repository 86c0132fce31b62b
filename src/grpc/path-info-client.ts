/**
 * Path infos of a gRPC server.
 */
import { equalBytes } from "../base/bytes.js";
import { isStoreError, messageOf, StoreError } from "../base/errors.js";
import type { CallOptions } from "../castore/blob/service.js";
import type { PathInfoService } from "../store/path-info/service.js";
import { type PathInfo, validatePathInfo } from "../store/path-info.js";
import { decodePathInfo, encodePathInfo } from "../store/path-info-codec.js";
import { validateStorePathHash } from "../store/store-path.js";
import type { Channel } from "./channel.js";
import { type PathInfoServiceDefinition, serviceDefinitions } from "./definitions.js";

/** A server may have to fetch a path before it can tell of it. The kernel waits as long for a mount. */
const GET_DEADLINE_MS = 120_000;
/** A server looks whether all of the content is there before it takes a path info. */
const PUT_DEADLINE_MS = 10 * 60_000;

/**
 * What arrives is decoded and checked by every rule, and is of the store path it was asked for.
 *
 * Questions and puts are repeated when the server is away for a moment, lists until their first path info.
 * What is absent is `undefined`, anything else that goes wrong is thrown.
 */
export class GrpcPathInfoService implements PathInfoService {
  readonly #channel: Channel;
  readonly #methods: PathInfoServiceDefinition = serviceDefinitions("tvix").pathInfos;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async get(hash: Uint8Array, { signal }: CallOptions = {}): Promise<PathInfo | undefined> {
    validateStorePathHash(hash);
    const request = { by_output_hash: hash };
    let message: Uint8Array;
    try {
      message = await this.#channel.ask(this.#methods.Get, request, {
        signal,
        deadlineMs: GET_DEADLINE_MS,
      });
    } catch (error) {
      if (isStoreError(error, "not-found")) return undefined;
      throw error;
    }
    return this.#decode(message, hash);
  }

  async put(pathInfo: PathInfo, { signal }: CallOptions = {}): Promise<PathInfo> {
    validatePathInfo(pathInfo);
    const options = { signal, deadlineMs: PUT_DEADLINE_MS };
    const message = await this.#channel.ask(this.#methods.Put, encodePathInfo(pathInfo), options);
    return this.#decode(message, pathInfo.storePath.hash);
  }

  async *list({ signal }: CallOptions = {}): AsyncGenerator<PathInfo> {
    for await (const message of this.#channel.download(this.#methods.List, {}, { signal })) {
      yield this.#decode(message);
    }
  }

  #decode(message: Uint8Array, hash?: Uint8Array): PathInfo {
    let pathInfo: PathInfo;
    try {
      pathInfo = decodePathInfo(message);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      throw new StoreError("corrupt", `${this.#channel.address} sent one: ${messageOf(error)}`);
    }
    if (hash === undefined || equalBytes(pathInfo.storePath.hash, hash)) return pathInfo;
    throw new StoreError(
      "corrupt",
      `${this.#channel.address} sent the path info of ${pathInfo.storePath}, which was not asked for`,
    );
  }
}
