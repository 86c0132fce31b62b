/**
 * What store paths there are and how they refer to each other, for people who look around.
 */
import { compareBytes, toHex } from "../../base/bytes.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { PathInfoService } from "../../store/path-info/service.js";
import type { StorePath } from "../../store/store-path.js";

export interface CatalogueEntry {
  readonly storePath: StorePath;
  readonly narSize: bigint;
  readonly references: readonly StorePath[];
}

/** How old it may be: making it reads every path info. */
const FRESH_MS = 10_000;
/** About half a kilobyte of memory each. */
const ENTRIES_MAX = 200_000;

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
    if (known !== undefined && performance.now() - known.madeAtMs < FRESH_MS) return known;
    return await this.#making.run("", (shared) => this.#make(shared), signal);
  }

  async #make(signal: AbortSignal): Promise<Snapshot> {
    const entries: CatalogueEntry[] = [];
    let isWhole = true;
    for await (const { storePath, narSize, references } of this.#pathInfos.list({ signal })) {
      signal.throwIfAborted();
      isWhole = entries.length < ENTRIES_MAX;
      if (!isWhole) break;
      entries.push({ storePath, narSize, references });
    }
    this.#snapshot = new Snapshot(entries, isWhole, performance.now());
    return this.#snapshot;
  }
}

/** The catalogue as of one moment. */
export class Snapshot {
  /** By name, and by hash where names are equal. */
  readonly entries: readonly CatalogueEntry[];
  /** False when there are more store paths than are listed. */
  readonly isWhole: boolean;
  readonly madeAtMs: number;
  readonly #referrers = new Map<string, StorePath[]>();

  constructor(entries: CatalogueEntry[], isWhole: boolean, madeAtMs: number) {
    this.entries = entries.sort((a, b) => compare(a.storePath, b.storePath));
    this.isWhole = isWhole;
    this.madeAtMs = madeAtMs;
    for (const { storePath, references } of entries) {
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

  /** The entries whose `<hash>-<name>` contains every word of `text`. */
  search(text: string): readonly CatalogueEntry[] {
    const words = text
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
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
