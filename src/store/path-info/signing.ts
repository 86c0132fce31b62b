import type { CallOptions } from "../../castore/blob/service.js";
import type { PathInfo } from "../path-info.js";
import type { SecretKey } from "../signature/secret-key.js";
import { signPathInfo } from "../signature/sign-path-info.js";
import type { PathInfoService } from "./service.js";

/**
 * Signs every path info that is put, beside the signatures it has. One that has a signature of the same key
 * is not signed again. What was put by others is handed out as it is.
 */
export class SigningPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #key: SecretKey;

  constructor(inner: PathInfoService, key: SecretKey) {
    this.#inner = inner;
    this.#key = key;
  }

  get(hash: Uint8Array, options?: CallOptions): Promise<PathInfo | undefined> {
    return this.#inner.get(hash, options);
  }

  put(pathInfo: PathInfo, options?: CallOptions): Promise<PathInfo> {
    return this.#inner.put(signPathInfo(pathInfo, this.#key), options);
  }

  list(options?: CallOptions): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}
