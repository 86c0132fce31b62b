/**
 * What store paths there are and how they refer to each other, for people who look around.
 */
import { compareBytes, toHex } from "../../base/bytes.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { PathInfoService } from "../../store/path-info/service.js";
import { STORE_DIR, type StorePath } from "../../store/store-path.js";

export interface CatalogueEntry {
  readonly storePath: StorePath;
  readonly narSize: bigint;
  readonly references: readonly StorePath[];
}

/** Making it reads every path info: it is kept for so many times as long as that took. */
const FRESH_FACTOR = 20;
/** About half a kilobyte of memory each. */
const ENTRIES_MAX = 200_000;
/** Larger closures are not added up while somebody waits. */
const CLOSURE_MAX = 10_000;

export class Catalogue {
  readonly #pathInfos: PathInfoService;
  readonly #making = new SingleFlight<Snapshot>();
  #snapshot: Snapshot | undefined;

  constructor(pathInfos: PathInfoService) {
    this.#pathInfos = pathInfos;
  }

  /** @throws {StoreError} `unsupported` when the path infos cannot be listed. */
  async read(signal: AbortSignal): Promise<Snapshot> {
    const known = this.#snapshot;
    if (known !== undefined && performance.now() < known.freshUntilMs) return known;
    return await this.#making.run("", (shared) => this.#make(shared), signal);
  }

  async #make(signal: AbortSignal): Promise<Snapshot> {
    const started = performance.now();
    const entries: CatalogueEntry[] = [];
    let isWhole = true;
    for await (const { storePath, narSize, references } of this.#pathInfos.list({ signal })) {
      signal.throwIfAborted();
      isWhole = entries.length < ENTRIES_MAX;
      if (!isWhole) break;
      entries.push({ storePath, narSize, references });
    }
    const ended = performance.now();
    this.#snapshot = new Snapshot(entries, isWhole, ended + FRESH_FACTOR * (ended - started));
    return this.#snapshot;
  }
}

/** The catalogue as of one moment. */
export class Snapshot {
  /** By name, and by hash where names are equal. */
  readonly entries: readonly CatalogueEntry[];
  /** False when there are more store paths than are listed. */
  readonly isWhole: boolean;
  readonly freshUntilMs: number;
  readonly #byHash = new Map<string, CatalogueEntry>();
  readonly #referrers = new Map<string, StorePath[]>();

  constructor(entries: CatalogueEntry[], isWhole: boolean, freshUntilMs: number) {
    this.entries = entries.sort((a, b) => compare(a.storePath, b.storePath));
    this.isWhole = isWhole;
    this.freshUntilMs = freshUntilMs;
    for (const entry of entries) {
      const { storePath, references } = entry;
      this.#byHash.set(toHex(storePath.hash), entry);
      for (const reference of references) {
        const key = toHex(reference.hash);
        const known = this.#referrers.get(key);
        if (known === undefined) this.#referrers.set(key, [storePath]);
        else known.push(storePath);
      }
    }
  }

  /** The store paths that refer to `storePath`, by name. */
  referrersOf(storePath: StorePath): readonly StorePath[] {
    return this.#referrers.get(toHex(storePath.hash)) ?? [];
  }

  /**
   * How many paths `storePath` and everything it refers to are, and their NAR sizes added up; `undefined` when some are
   * not here, or they are too many.
   */
  closureOf(
    storePath: StorePath,
  ): { readonly count: number; readonly narSize: bigint } | undefined {
    const seen = new Set<string>();
    const left = [storePath];
    let narSize = 0n;
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      const key = toHex(path.hash);
      if (seen.has(key)) continue;
      const entry = this.#byHash.get(key);
      if (entry === undefined || seen.size === CLOSURE_MAX) return undefined;
      seen.add(key);
      narSize += entry.narSize;
      for (const reference of entry.references) left.push(reference);
    }
    return { count: seen.size, narSize };
  }

  /** The entries whose `<hash>-<name>` contains every word of `text`, of which some may be paths of files in them. */
  search(text: string): readonly CatalogueEntry[] {
    const words = text
      .split(/\s+/)
      .map((word) => (word.startsWith(`${STORE_DIR}/`) ? (word.split("/")[3] ?? "") : word))
      .filter((word) => word !== "")
      .map((word) => word.toLowerCase());
    if (words.length === 0) return this.entries;
    return this.entries.filter(({ storePath }) => {
      const basename = storePath.basename.toLowerCase();
      return words.every((word) => basename.includes(word));
    });
  }
}

function compare(a: StorePath, b: StorePath): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return compareBytes(a.hash, b.hash);
}
