/**
 * The files of a binary cache in a folder, written so that readers find a file whole or not at all:
 *
 *   nix-cache-info         what the cache is        nar/<file hash>.nar[.xz…]   the NARs, compressed
 *   <hash>.narinfo         one for each path        .tvix-store-tmp/            unfinished files
 */
import { mkdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";
import { FolderSync } from "../../castore/local/folder-sync.js";
import { createUploadFile, sweepUploads } from "../../castore/local/upload-file.js";
import { STORE_DIR } from "../store-path.js";

const CACHE_INFO = "nix-cache-info";
const CACHE_INFO_SIZE_MAX = 64 * 1024;

export class CacheFolder {
  readonly root: string;
  readonly #sync = new FolderSync();

  private constructor(root: string) {
    this.root = root;
  }

  /**
   * Opens the cache in `root`, making it when it is not there.
   *
   * @throws {StoreError} `invalid-argument` when it is of another store; `unavailable` when it cannot be used.
   */
  static async open(root: string): Promise<CacheFolder> {
    const folder = new CacheFolder(root);
    await folder.#guarded(async () => {
      await mkdir(join(root, "nar"), { recursive: true });
      await mkdir(folder.#tmp, { recursive: true });
      await sweepUploads(folder.#tmp, Date.now());
    });
    const info = await folder.read(CACHE_INFO, CACHE_INFO_SIZE_MAX);
    if (info === undefined) {
      await folder.write(CACHE_INFO, [Buffer.from(`StoreDir: ${STORE_DIR}\n`)]);
      await folder.#guarded(() => folder.#sync.sync(dirname(root)));
      return folder;
    }
    const [, storeDir = STORE_DIR] = /^StoreDir: *(.*?) *$/m.exec(info.toString()) ?? [];
    if (storeDir === STORE_DIR) return folder;
    throw new StoreError(
      "invalid-argument",
      `The binary cache ${root} is of a store in ${JSON.stringify(storeDir)}, not in ${STORE_DIR}`,
    );
  }

  /** A small file, `undefined` when it is not there. @throws {StoreError} `limit-exceeded` for a large one. */
  async read(name: string, bytesMax: number): Promise<Buffer | undefined> {
    const size = await this.size(name);
    if (size === undefined) return undefined;
    if (size > bytesMax) {
      throw new StoreError(
        "limit-exceeded",
        `${join(this.root, name)} has more than ${bytesMax} bytes`,
      );
    }
    return await this.#guarded(() => readFile(join(this.root, name)));
  }

  /** The length of a file in bytes, `undefined` when it is not there. */
  async size(name: string): Promise<number | undefined> {
    return await this.#guarded(async () => {
      try {
        return (await stat(join(this.root, name))).size;
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  /** Writes a file called `name`; see {@link writeAs}. */
  async write(
    name: string,
    content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    await this.writeAs(content, () => name);
  }

  /**
   * Writes a file whose name is known once its content has passed. Durable when it resolves; when it fails,
   * nothing is left.
   */
  async writeAs(
    content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    nameOf: () => string,
  ): Promise<void> {
    const { path, handle } = await this.#guarded(() => createUploadFile(this.#tmp));
    let isPlaced = false;
    try {
      try {
        for await (const piece of content) await this.#guarded(() => handle.writeFile(piece));
        await this.#guarded(() => handle.sync());
      } finally {
        await handle.close();
      }
      const target = join(this.root, nameOf());
      await this.#guarded(() => rename(path, target));
      isPlaced = true;
      await this.#guarded(() => this.#sync.sync(dirname(target)));
    } finally {
      if (!isPlaced) await unlink(path).catch(() => {});
    }
  }

  get #tmp(): string {
    return join(this.root, ".tvix-store-tmp");
  }

  /** Gives errors of the file system a code and the name of the cache. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new StoreError(
        "unavailable",
        `Cannot use the binary cache ${this.root}: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
}
