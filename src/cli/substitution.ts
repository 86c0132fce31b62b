/**
 * Binary caches to fetch from what a store lacks. Loaded when one is named.
 */
import { isStoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { LocalStore } from "../castore/local/store.js";
import {
  type SubstitutingOptions,
  SubstitutingPathInfoService,
} from "../store/path-info/substituting.js";
import { BinaryCache } from "../store/substitution/binary-cache.js";
import type { CacheFetcher } from "../store/substitution/cache-fetcher.js";
import { CircuitBreaker } from "../store/substitution/circuit-breaker.js";
import { FolderFetcher } from "../store/substitution/folder-fetcher.js";
import { HttpFetcher } from "../store/substitution/http-fetcher.js";
import { KeptAnswers } from "../store/substitution/kept-answers.js";
import { NarSpool } from "../store/substitution/nar-spool.js";
import { Netrc } from "../store/substitution/netrc.js";
import { Upstream, type UpstreamOptions } from "../store/substitution/upstream.js";
import { Upstreams } from "../store/substitution/upstreams.js";
import { type CacheAddress, parseCacheAddress } from "./cache-address.js";
import { readTextFile } from "./input-files.js";
import { createLogger, type LogArguments } from "./logger.js";
import { narReaderOptions } from "./nar-options.js";
import type { SubstitutionArguments } from "./substitution-options.js";
import { trustedKeysOf } from "./trusted-keys.js";
import { UsageError } from "./usage-error.js";

/** What the options say about binary caches, ready to stand behind the other services. */
export class Substitution {
  readonly #open: (memory: Memory) => Upstreams;
  readonly #options: SubstitutionArguments;
  readonly #log: Logger;
  #upstreams: Upstreams | undefined;
  #kept: KeptAnswers | undefined;

  /**
   * @param first the cache that is the path info service
   * @throws {UsageError} for a bad address or key. @throws {StoreError} for a bad netrc file.
   */
  constructor(options: SubstitutionArguments & LogArguments, first: CacheAddress | undefined) {
    this.#options = options;
    this.#log = createLogger(options);
    this.#open = upstreamsOf(options, first, this.#log);
  }

  /** To be called once. `store` is where to keep what binary caches say and send in part, if anywhere. */
  service(
    behind: Pick<SubstitutingOptions, "local" | "targets" | "stagePath" | "nars">,
    store: LocalStore | undefined,
  ) {
    this.#kept = store && keptAnswers(store, this.#options, this.#log);
    const spool = store && new NarSpool(store.layout.tmp);
    this.#upstreams = this.#open({ kept: this.#kept, spool });
    return new SubstitutingPathInfoService({
      ...behind,
      upstreams: this.#upstreams,
      log: this.#log,
      nar: narReaderOptions(this.#log),
    });
  }

  close(): void {
    this.#upstreams?.close();
    this.#kept?.flush();
  }
}

/** What outlives a process. */
type Memory = Pick<UpstreamOptions, "kept" | "spool">;

/** Opens the upstreams that `--substituter` names, after `first`. */
function upstreamsOf(
  options: SubstitutionArguments,
  first: CacheAddress | undefined,
  log: Logger,
): (memory: Memory) => Upstreams {
  const addresses = usage(() => (options.substituter ?? []).map(parseCacheAddress));
  const keys = trustedKeysOf(options);
  const { netrcFile, checkSignatures = true, offline = false } = options;
  const netrc = netrcFile === undefined ? undefined : Netrc.parse(readTextFile(netrcFile));
  if (!checkSignatures) {
    log.warn({}, "signatures are not checked: what a substituter sends is taken for what it says");
  }
  const upstreamOf = (address: CacheAddress, memory: Memory): Upstream =>
    new Upstream({
      cache: new BinaryCache(fetcherOf(address, options, netrc)),
      breaker: new CircuitBreaker({
        name: address.text,
        onOpen: (pauseMs, { message }) =>
          log.warn({ seconds: pauseMs / 1000 }, `leaving ${address.text} alone: ${message}`),
      }),
      keys: [...address.trustedPublicKeys, ...keys],
      checkSignatures,
      priority: address.priority,
      // Nothing is quicker to ask than a folder.
      ...(address.place.type === "folder" ? {} : memory),
    });
  const all = first === undefined ? addresses : [first, ...addresses];
  return (memory) => {
    const upstreams = all.map((address) => upstreamOf(address, memory));
    return new Upstreams(upstreams, { offline });
  };
}

function keptAnswers(
  { index }: LocalStore,
  { narinfoCachePositiveTtl, narinfoCacheNegativeTtl }: SubstitutionArguments,
  log: Logger,
): KeptAnswers {
  const milliseconds = (seconds: number | undefined) => seconds && seconds * MS;
  return new KeptAnswers(index, {
    foundMs: milliseconds(narinfoCachePositiveTtl),
    absentMs: milliseconds(narinfoCacheNegativeTtl),
    onFailure: ({ message }) => log.warn({}, `Cannot keep what substituters said: ${message}`),
  });
}

const MS = 1000;
const CONNECT_SECONDS = 5;
const STALL_SECONDS = 30;

function fetcherOf(
  { text, place, foreignUrls }: CacheAddress,
  { connectTimeout = CONNECT_SECONDS, stallTimeout = STALL_SECONDS }: SubstitutionArguments,
  netrc: Netrc | undefined,
): CacheFetcher {
  if (place.type === "folder") return new FolderFetcher(text, place.folder);
  return new HttpFetcher({
    address: text,
    base: place.base,
    foreignUrls,
    connectTimeoutMs: connectTimeout * MS,
    stallTimeoutMs: stallTimeout * MS,
    netrc,
  });
}

function usage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}
