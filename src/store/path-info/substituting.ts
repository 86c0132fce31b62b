import { toHex } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { CallOptions, StoredBlob } from "../../castore/blob/service.js";
import {
  type StagedTree,
  storeWholeTree,
  type TreeSink,
  type WholeTreeTargets,
} from "../../castore/tree-upload.js";
import { findMissing } from "../completeness.js";
import { verifyContentAddress } from "../content-address-verify.js";
import type { PathInfoTargets } from "../import/add-path-info.js";
import { NarCalculator } from "../nar/calculation.js";
import { findNarRoot } from "../nar/find-root.js";
import type { IngestedTree } from "../nar/ingest.js";
import type { NarRecords } from "../nar/records.js";
import { pathInfoFromNarinfo } from "../narinfo/conversion.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import { STORE_DIR } from "../store-path.js";
import { type ReceiveOptions, receiveNar } from "../substitution/receive-nar.js";
import type { Offer } from "../substitution/upstream.js";
import type { Upstreams } from "../substitution/upstreams.js";
import type { PathInfoService } from "./service.js";

/** Takes one tree and then its path info, which makes both durable. */
export interface StagedPath extends StagedTree, PathInfoTargets {}

export interface SubstitutingOptions {
  /** What is here already, and where path infos go. */
  readonly local: PathInfoService;
  /** Where content goes. */
  readonly targets: WholeTreeTargets;
  /** Where content and path info go at once, where they go into one store. */
  readonly stagePath?: (() => StagedPath) | undefined;
  /** What is known of NARs that are here. */
  readonly nars?: NarRecords | undefined;
  readonly upstreams: Upstreams;
  readonly log: Logger;
  readonly nar?: Pick<ReceiveOptions, "onDeep" | "depthMax">;
}

/** Told how many more bytes have come for the store path with this hash, in hex. */
export type ReceivedListener = (hash: string, bytes: number) => void;

/** Watches over downloads, whoever wants them. */
export interface DownloadWatcher {
  /** A file of the NAR of `narinfo` is durable; its contents start at `offset` in the NAR. */
  onFile(narinfo: Narinfo, offset: number, blob: StoredBlob): void;
  /** All of a store path is durable and has been checked. It becomes known with `store`, which has to be called. */
  onArrival(pathInfo: PathInfo, store: () => Promise<PathInfo>): Promise<PathInfo>;
}

/**
 * Path infos of a local service, and of binary caches. One that is not local is fetched with its content,
 * checked, and is local from then on; it is shown when all of that is done. Requests for one store path at the
 * same time are one download, which ends when nobody wants it any more.
 *
 * Absent is what every upstream lacks. When one fails and no other has it, that is an error. Puts and lists are
 * those of the local service.
 */
export class SubstitutingPathInfoService implements PathInfoService {
  readonly #options: SubstitutingOptions;
  readonly #calculator: NarCalculator;
  readonly #flights = new SingleFlight<PathInfo | undefined>();
  readonly #listeners = new Set<ReceivedListener>();
  #watcher: DownloadWatcher | undefined;

  constructor(options: SubstitutingOptions) {
    this.#options = options;
    this.#calculator = new NarCalculator(options.targets, options.nars);
  }

  async get(hash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    const known = await this.#options.local.get(hash, options);
    return known ?? (await this.#fetched(hash, options));
  }

  /** As {@link get}, for who needs all of the content here: what a path info alone stands for is fetched as well. */
  async getWhole(hash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    const known = await this.#options.local.get(hash, options);
    if (known !== undefined && (await this.#isWhole(known, options))) return known;
    return await this.#fetched(hash, options);
  }

  put(pathInfo: PathInfo, options?: CallOptions): Promise<PathInfo> {
    return this.#options.local.put(pathInfo, options);
  }

  list(options?: CallOptions): AsyncIterable<PathInfo> {
    return this.#options.local.list(options);
  }

  /**
   * What is known about a store path without fetching its content: its path info when all of that is here, else the
   * first offer. `undefined` when it is nowhere.
   *
   * @throws {StoreError} `dangling-reference` for one that is here in part, and that no upstream has.
   */
  async describe(
    hash: Uint8Array,
    options: CallOptions = {},
  ): Promise<PathInfo | Offer | undefined> {
    const known = await this.#options.local.get(hash, options);
    if (known !== undefined && (await this.#isWhole(known, options))) return known;
    const failures: StoreError[] = [];
    for await (const { offer, failure } of this.#options.upstreams.find(hash, options)) {
      if (offer !== undefined) return offer;
      if (failure !== undefined) failures.push(failure);
    }
    if (failures.length > 0) throw unanswered(hash, failures);
    if (known === undefined) return undefined;
    throw new StoreError(
      "dangling-reference",
      `Not all of ${known.storePath} is in the store, and no substituter has it`,
    );
  }

  /** Tells `listener` of every piece that comes, until what it returns is called. */
  onReceived(listener: ReceivedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Has `watcher` told of every download from now on, in place of another one. */
  watch(watcher: DownloadWatcher): void {
    this.#watcher = watcher;
  }

  /** Connects to the binary caches beside the caller, for whoever asks first. */
  meet(): void {
    this.#options.upstreams.meet();
  }

  /** Asks for the narinfos of all that an offer refers to, beside the caller. */
  lookAhead(offer: Offer): void {
    this.#options.upstreams.lookAhead(offer);
  }

  async #fetched(hash: Uint8Array, { signal }: CallOptions): Promise<PathInfo | undefined> {
    const fetch = (shared: AbortSignal) => this.#fetch(hash, shared);
    return await this.#flights.run(toHex(hash), fetch, signal);
  }

  /** A path info alone is no proof: a mount keeps those of what it has not fetched. */
  async #isWhole({ node }: PathInfo, options: CallOptions): Promise<boolean> {
    return (await findMissing(node, this.#options.targets, options)) === undefined;
  }

  async #fetch(hash: Uint8Array, signal: AbortSignal): Promise<PathInfo | undefined> {
    const failures: StoreError[] = [];
    for await (const { offer, failure } of this.#options.upstreams.find(hash, { signal })) {
      let problem = failure;
      if (offer !== undefined) {
        try {
          const pathInfo = await this.#receiveCurrent(offer, signal);
          for (const { message } of failures) this.#options.log.warn({}, `passed over: ${message}`);
          return pathInfo;
        } catch (error) {
          signal.throwIfAborted();
          if (!isStoreError(error)) throw error;
          problem = error;
        }
      }
      if (problem !== undefined) failures.push(problem);
    }
    if (failures.length > 0) throw unanswered(hash, failures);
    return undefined;
  }

  /** A cache may have changed since it said what it has: when that was a while ago, it is asked once more. */
  async #receiveCurrent(offer: Offer, signal: AbortSignal): Promise<PathInfo> {
    try {
      return await this.#receive(offer, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isStoreError(error)) throw error;
      const { upstream, narinfo, isKept } = offer;
      const { hash } = narinfo.storePath;
      upstream.forget(hash);
      const current = isKept ? await upstream.find(hash, { signal }) : undefined;
      if (current === undefined) throw error;
      return await this.#receiveCurrent(current, signal);
    }
  }

  async #receive(offer: Offer, signal: AbortSignal): Promise<PathInfo> {
    const { local, log, nars } = this.#options;
    const { narinfo, upstream } = offer;
    const known = await this.#knownContent(offer, signal);
    // Somebody waits for the NAR: it is asked for first, and what comes at once is not behind these.
    setImmediate(() => this.#options.upstreams.lookAhead(offer));
    const staged = known === undefined ? this.#stagePath(offer) : undefined;
    const { node } = known ?? (await this.#download(offer, staged, signal));
    const pathInfo = pathInfoFromNarinfo(narinfo, node);
    if (offer.byContentAddress)
      await verifyContentAddress(pathInfo, this.#options.targets, { signal });
    const into = staged ?? { pathInfos: local, nars };
    const store = async () =>
      (await Promise.all([into.pathInfos.put(pathInfo), into.nars?.remember(node, narinfo)]))[0];
    const stored = await (this.#watcher?.onArrival(pathInfo, store) ?? store());
    log.debug({ path: String(narinfo.storePath), from: upstream.address }, "substituted");
    return stored;
  }

  /** The same content under another name is not fetched again. */
  async #knownContent({ narinfo }: Offer, signal: AbortSignal) {
    const { nars, targets } = this.#options;
    if (nars === undefined) return undefined;
    const known = await findNarRoot(narinfo.narSha256, nars, this.#calculator, { signal });
    if (known?.narSize !== narinfo.narSize) return undefined;
    return (await findMissing(known.node, targets, { signal })) === undefined ? known : undefined;
  }

  /** Not where the tree has to be there before its path info: to be checked, or piece by piece for who watches. */
  #stagePath({ byContentAddress }: Offer): StagedPath | undefined {
    if (byContentAddress || this.#watcher !== undefined) return undefined;
    return this.#options.stagePath?.();
  }

  async #download(
    { narinfo, upstream }: Offer,
    staged: StagedPath | undefined,
    signal: AbortSignal,
  ): Promise<IngestedTree> {
    const key = toHex(narinfo.storePath.hash);
    const source = upstream.nar(narinfo, { signal });
    const receive = (sink: TreeSink) =>
      receiveNar(narinfo, source, sink, {
        ...this.#options.nar,
        signal,
        onBytes: (bytes) => {
          for (const listener of this.#listeners) listener(key, bytes);
        },
        onFile: (offset, blob) => this.#watcher?.onFile(narinfo, offset, blob),
      });
    if (staged !== undefined) return await receive(staged);
    if (this.#watcher !== undefined) return await receive(this.#options.targets);
    return await storeWholeTree(this.#options.targets, receive);
  }
}

/** Not an absence: an upstream that did not answer may have it. */
function unanswered(hash: Uint8Array, failures: readonly StoreError[]): StoreError {
  const reasons = [...new Set(failures.map(({ message }) => message))].join("; ");
  const code = failures.every((failure) => isStoreError(failure, "corrupt"))
    ? "corrupt"
    : "unavailable";
  return new StoreError(code, `Cannot fetch ${STORE_DIR}/${encodeNixBase32(hash)}: ${reasons}`, {
    cause: failures[0],
  });
}
