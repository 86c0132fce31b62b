import type { CallOptions } from "../../castore/blob/service.js";
import { fingerprint } from "../narinfo/fingerprint.js";
import type { PathInfo } from "../path-info.js";
import type { SecretKey } from "../signature/secret-key.js";
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
    return this.#inner.put(this.#sign(pathInfo), options);
  }

  list(options?: CallOptions): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }

  #sign(pathInfo: PathInfo): PathInfo {
    const { signatures } = pathInfo;
    const message = fingerprint(pathInfo);
    if (signatures.some((each) => this.#key.publicKey.verify(message, each))) return pathInfo;
    return { ...pathInfo, signatures: [...signatures, this.#key.sign(message)] };
  }
}
