import { toHex } from "../../base/bytes.js";
import { type PathInfo, validatePathInfo } from "../path-info.js";
import { pathInfoAfterPut } from "../path-info-merge.js";
import { validateStorePathHash } from "../store-path.js";
import type { PathInfoService, PutOptions } from "./service.js";

/** Keeps path infos in memory, for as long as the process runs. */
export class MemoryPathInfoService implements PathInfoService {
  readonly #pathInfos = new Map<string, PathInfo>();

  async get(hash: Uint8Array): Promise<PathInfo | undefined> {
    validateStorePathHash(hash);
    return this.#pathInfos.get(toHex(hash));
  }

  async put(pathInfo: PathInfo, options?: PutOptions): Promise<PathInfo> {
    validatePathInfo(pathInfo);
    const key = toHex(pathInfo.storePath.hash);
    const merged = pathInfoAfterPut(this.#pathInfos.get(key), pathInfo, options);
    this.#pathInfos.set(key, merged);
    return merged;
  }

  async *list(): AsyncGenerator<PathInfo> {
    yield* this.#pathInfos.values();
  }
}
