/**
 * Fetching what a mount misses: from remote services into the local stores it reads from.
 */
import { LRUCache } from "lru-cache";
import { atMost } from "../base/at-most.js";
import { TaskPool } from "../base/concurrency.js";
import { messageOf, StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import { SingleFlight } from "../base/single-flight.js";
import { WriteBehind } from "../base/write-behind.js";
import { CachingBlobService } from "../castore/blob/caching.js";
import type { CallOptions } from "../castore/blob/service.js";
import { WriteBehindBlobService } from "../castore/blob/write-behind.js";
import { B3Digest } from "../castore/digest.js";
import { CachingDirectoryService } from "../castore/directory/caching.js";
import { WriteBehindDirectoryService } from "../castore/directory/write-behind.js";
import type { Directory } from "../castore/directory.js";
import type { CastoreWant, FreshObjects } from "../castore/fs/fetchable-source.js";
import type { ProvisionalObjects, ProvisionalWant } from "../castore/fs/provisional-source.js";
import { INLINE_BYTES_MAX } from "../castore/local/blob-record.js";
import {
  LISTED_MS,
  type RootKnowledge,
  type RootWant,
  type ShownPath,
} from "../store/fetchable-root-nodes.js";
import { CachingPathInfoService } from "../store/path-info/caching.js";
import { LocalPathInfoService } from "../store/path-info/local.js";
import type { SubstitutingPathInfoService } from "../store/path-info/substituting.js";
import {
  type ProvisionalOptions,
  ProvisionalPaths,
} from "../store/provisional/provisional-paths.js";
import type { FarServices, LocalStores } from "./services.js";

/** How long an absent store path is believed to be absent; as long as the kernel does. */
const ABSENT_MS = 1000;
const ABSENT_MAX = 10_000;
/** Path infos of a listing on their way to the disk: enough to share a commit. */
const PENDING_MAX = 1024;

/** Small objects on their way to the disk: a program that reads many must not wait for each. */
const BEHIND_BYTES_MAX = 32 * 1024 * 1024;
/** A commit stops this thread for some milliseconds: one for many small files, not one for each. */
const BEHIND_MS = 200;

/** What a serving thread may miss. */
export type MountWant = CastoreWant | RootWant | ProvisionalWant;

export interface MountFetchOptions {
  /** Shows paths as their listings say they are, before they are here; not without this. */
  readonly lazy?: Pick<ProvisionalOptions, "rebind" | "followMs">;
}

export class MountFetch implements RootKnowledge, FreshObjects {
  readonly #freshBlobs: WriteBehind<Uint8Array>;
  readonly #freshDirectories: WriteBehind<Directory>;
  readonly #blobs: CachingBlobService | undefined;
  readonly #directories: CachingDirectoryService | undefined;
  readonly #pathInfos: CachingPathInfoService | undefined;
  readonly #substitution: SubstitutingPathInfoService | undefined;
  readonly #nearPathInfos: LocalPathInfoService;
  readonly #provisional: ProvisionalPaths | undefined;
  readonly #absent = new LRUCache<string, true>({ ...atMost(ABSENT_MAX), ttl: ABSENT_MS });
  readonly #listing = new SingleFlight<void>();
  #listedAtMs = Number.NEGATIVE_INFINITY;

  constructor(near: LocalStores, far: FarServices, log: Logger, { lazy }: MountFetchOptions = {}) {
    const { blobs, directories, pathInfos, substitution } = far;
    this.#substitution = substitution;
    const behind = {
      bytesMax: BEHIND_BYTES_MAX,
      delayMs: BEHIND_MS,
      onFailure: (error: unknown) =>
        log.warn({}, `Cannot keep what was fetched: ${messageOf(error)}`),
    };
    this.#freshBlobs = new WriteBehind(behind);
    this.#freshDirectories = new WriteBehind(behind);
    this.#nearPathInfos = new LocalPathInfoService(near.pathInfos.index);
    const nearBlobs = new WriteBehindBlobService(
      near.blobs.blobs,
      this.#freshBlobs,
      INLINE_BYTES_MAX,
    );
    this.#blobs = blobs && new CachingBlobService({ near: nearBlobs, far: blobs });
    this.#directories =
      directories &&
      new CachingDirectoryService({
        near: new WriteBehindDirectoryService(near.directories.directories, this.#freshDirectories),
        far: directories,
      });
    this.#pathInfos =
      pathInfos && new CachingPathInfoService({ near: this.#nearPathInfos, far: pathInfos });
    this.#provisional =
      lazy &&
      substitution &&
      new ProvisionalPaths({
        substitution,
        blobs: nearBlobs,
        directories: near.directories.directories,
        log,
        ...lazy,
      });
  }

  /** The near/far services that this fetches through, as others may use them; what is local is left out. */
  get services(): FarServices {
    return {
      blobs: this.#blobs,
      directories: this.#directories,
      pathInfos: this.#pathInfos,
      substitution: this.#substitution,
    };
  }

  /** The trees that are shown before they are here; `undefined` when none ever are. */
  get provisional(): ProvisionalObjects | undefined {
    return this.#provisional;
  }

  shown(hash: string): ShownPath | undefined {
    return this.#provisional?.shown(hash);
  }

  blob(digest: string): Uint8Array | undefined {
    return this.#freshBlobs.get(digest);
  }

  directory(digest: string): Directory | undefined {
    return this.#freshDirectories.get(digest);
  }

  /** Ends what nobody waits for, and waits until all that was fetched is on the disk, or was refused. */
  async settle(): Promise<void> {
    this.#provisional?.close();
    await this.#freshBlobs.settle();
    await this.#freshDirectories.settle();
  }

  isAbsent(hash: string): boolean {
    return this.#absent.has(hash);
  }

  isListed(): boolean {
    return performance.now() - this.#listedAtMs < LISTED_MS;
  }

  /**
   * Makes what a `Miss` wants resident, or remembers that it is absent. `onProgress` is told of every piece
   * of a download that takes its time.
   *
   * @throws {StoreError} `dangling-reference` for a hole; `unavailable` and others when it cannot be told.
   */
  async fetch(want: MountWant, signal: AbortSignal, onProgress: () => void): Promise<void> {
    switch (want.type) {
      case "blob":
        return await this.#fetchCastore(this.#blobs, want, { signal });
      case "directory":
        return await this.#fetchCastore(this.#directories, want, { signal });
      case "path-info":
        return await this.#fetchPathInfo(want.hash, { signal }, onProgress);
      case "provisional-file":
        return await this.#provisional?.fetchFile(want.digest, signal, onProgress);
      case "path-infos":
        return await this.#listing.run("", (shared) => this.#list({ signal: shared }), signal);
    }
  }

  async #fetchCastore(
    service: CachingBlobService | CachingDirectoryService | undefined,
    { type, digest }: CastoreWant,
    options: CallOptions,
  ): Promise<void> {
    const wanted = B3Digest.from(Buffer.from(digest, "hex"));
    if (await service?.fetch(wanted, options)) return;
    const kind = type === "blob" ? "Blob" : "Directory";
    throw new StoreError("dangling-reference", `${kind} ${wanted} is missing, here and remotely`);
  }

  async #fetchPathInfo(hash: string, options: CallOptions, onProgress: () => void): Promise<void> {
    if (this.#absent.has(hash)) return;
    if (await this.#provisional?.show(hash, options)) return;
    const stopListening = this.#substitution?.onReceived((received) => {
      if (received === hash) onProgress();
    });
    try {
      const found = await this.#pathInfos?.fetch(Buffer.from(hash, "hex"), options);
      if (found !== true) this.#absent.set(hash, true);
    } finally {
      stopListening?.();
    }
  }

  async #list(options: CallOptions): Promise<void> {
    const pool = new TaskPool(PENDING_MAX);
    try {
      for await (const pathInfo of this.#pathInfos?.list(options) ?? []) {
        await pool.ready();
        pool
          .run(async () => {
            const known = await this.#nearPathInfos.get(pathInfo.storePath.hash);
            if (known === undefined) await this.#nearPathInfos.put(pathInfo);
          })
          .catch(() => {}); // The pool remembers it.
      }
    } finally {
      await pool.settle();
    }
    await pool.ready();
    this.#listedAtMs = performance.now();
  }
}
