import { createHash } from "node:crypto";
import { equalBytes } from "../../base/bytes.js";
import { compress, type WritableCompression } from "../../base/compression/compress.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { AddOptions, CopyTarget, Moved } from "../copy/target.js";
import { HashedNar } from "../nar/hashed-nar.js";
import { type RenderServices, renderNar } from "../nar/render.js";
import { narinfoFromPathInfo } from "../narinfo/conversion.js";
import { formatNarinfo, type Narinfo } from "../narinfo/narinfo.js";
import { NARINFO_SIZE_MAX, parseNarinfo } from "../narinfo/parse.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import type { SecretKey } from "../signature/secret-key.js";
import { signPathInfo } from "../signature/sign-path-info.js";
import type { StorePath } from "../store-path.js";
import type { CacheFolder } from "./cache-folder.js";

export interface CacheTargetOptions {
  readonly compression: WritableCompression;
  /** Signs what is written, beside the signatures it has. */
  readonly secretKey: SecretKey | undefined;
}

/** What follows `.nar`. Readers go by the narinfo; this is for people and web servers. */
const SUFFIXES: Readonly<Record<WritableCompression, string>> = {
  none: "",
  xz: ".xz",
  gzip: ".gz",
  zstd: ".zst",
  br: ".br",
};

/** Copies into a binary cache in a folder, as `nix copy --to file://…` does. */
export class CacheTarget implements CopyTarget {
  readonly #folder: CacheFolder;
  readonly #options: CacheTargetOptions;

  constructor(folder: CacheFolder, options: CacheTargetOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** A narinfo that cannot be read, or whose NAR is gone, is written anew. */
  async has({ storePath }: PathInfo): Promise<boolean> {
    const narinfo = await this.#read(storePath);
    if (narinfo === undefined || !narinfo.storePath.equals(storePath)) return false;
    const size = await this.#folder.size(narinfo.url);
    if (size === undefined) return false;
    return narinfo.fileSize === undefined || BigInt(size) === narinfo.fileSize;
  }

  async add(
    pathInfo: PathInfo,
    source: RenderServices,
    { signal, onBytes, referencesDone }: AddOptions,
  ): Promise<Moved> {
    const { compression, secretKey } = this.#options;
    const fileHash = createHash("sha256");
    let url = "";
    let fileSize = 0;
    let digest: Buffer | undefined;
    async function* file(): AsyncGenerator<Uint8Array> {
      const nar = checkedNar(pathInfo, source, signal, onBytes);
      for await (const piece of compress(compression, nar)) {
        fileHash.update(piece);
        fileSize += piece.length;
        yield piece;
      }
      digest = fileHash.digest();
      url = `nar/${encodeNixBase32(digest)}.nar${SUFFIXES[compression]}`;
    }
    await this.#folder.writeAs(file(), () => url);
    await referencesDone;
    const signed = secretKey === undefined ? pathInfo : signPathInfo(pathInfo, secretKey);
    const narinfo = narinfoFromPathInfo(signed, {
      url,
      compression,
      fileHash: { algorithm: "sha256", digest: digest as Buffer },
      fileSize: BigInt(fileSize),
    });
    await this.#folder.write(nameOf(pathInfo.storePath), [Buffer.from(formatNarinfo(narinfo))]);
    return { bytes: fileSize };
  }

  async #read(storePath: StorePath): Promise<Narinfo | undefined> {
    const bytes = await this.#folder.read(nameOf(storePath), NARINFO_SIZE_MAX);
    if (bytes === undefined) return undefined;
    try {
      return parseNarinfo(bytes);
    } catch (error) {
      if (isStoreError(error)) return undefined;
      throw error;
    }
  }
}

function nameOf({ basename }: StorePath): string {
  return `${basename.slice(0, basename.indexOf("-"))}.narinfo`;
}

/** The NAR, whose end does not come when it is not the one of the path info. */
async function* checkedNar(
  { node, narSha256, narSize, storePath }: PathInfo,
  source: RenderServices,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  const nar = new HashedNar(renderNar(node, source, { signal }));
  for await (const piece of nar) {
    signal.throwIfAborted();
    onBytes(piece.length);
    yield piece;
  }
  const found = nar.finish();
  if (found.narSize === narSize && equalBytes(found.narSha256, narSha256)) return;
  throw new StoreError("corrupt", `The content of ${storePath} does not have its NAR hash`);
}
