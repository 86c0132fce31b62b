/**
 * A binary cache with one signed path, a server for it, and an empty store in memory that substitutes from it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderNar } from "../../../../src/store/nar/render.js";
import { MemoryPathInfoService } from "../../../../src/store/path-info/memory.js";
import { SubstitutingPathInfoService } from "../../../../src/store/path-info/substituting.js";
import type { PublicKey } from "../../../../src/store/signature/public-key.js";
import { SecretKey } from "../../../../src/store/signature/secret-key.js";
import { StorePath } from "../../../../src/store/store-path.js";
import { BinaryCache as CacheReader } from "../../../../src/store/substitution/binary-cache.js";
import { CircuitBreaker } from "../../../../src/store/substitution/circuit-breaker.js";
import {
  HttpFetcher,
  type HttpFetcherOptions,
} from "../../../../src/store/substitution/http-fetcher.js";
import type { KeptAnswers } from "../../../../src/store/substitution/kept-answers.js";
import type { NarSpool } from "../../../../src/store/substitution/nar-spool.js";
import { Upstream } from "../../../../src/store/substitution/upstream.js";
import { Upstreams } from "../../../../src/store/substitution/upstreams.js";
import { RecordingLog } from "../../../fuse/support/recording-log.js";
import { BinaryCache } from "../../../support/binary-cache.js";
import { noise } from "../../../support/bytes.js";
import { CacheServer } from "../../../support/cache-server.js";
import { directory, file, memoryServices, storeTree, symlink } from "../../support/tree.js";

export const KEY = SecretKey.generate("cache-1");
export const STORE_PATH = StorePath.parse("0123456789abcdfghijklmnpqrsvwxyz-hello");
export const NARINFO = /\.narinfo$/;
export const NAR = /^nar\//;

const TREE = directory({
  big: file(noise(500_000, 1)),
  bin: directory({ hello: file("#!/bin/sh\necho hello\n", true) }),
  link: symlink("bin/hello"),
});

export async function narOf(tree = TREE): Promise<Buffer> {
  const services = memoryServices();
  const pieces: Uint8Array[] = [];
  for await (const piece of renderNar(await storeTree(tree, services), services)) {
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces);
}

/** A cache in a folder that has {@link STORE_PATH}, signed. */
export async function newCache(signWith = KEY): Promise<BinaryCache> {
  const cache = new BinaryCache();
  cache.add({ storePath: STORE_PATH, nar: await narOf(), signWith });
  return cache;
}

/** Rewrites the narinfo of {@link STORE_PATH}. */
export function edit(cache: BinaryCache, change: (text: string) => string): void {
  const path = join(cache.folder, `${STORE_PATH.basename.slice(0, 32)}.narinfo`);
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

export interface ClientOptions extends Partial<HttpFetcherOptions> {
  readonly keys?: readonly PublicKey[];
  readonly checkSignatures?: boolean;
  readonly patienceMs?: number;
  readonly kept?: KeptAnswers;
  readonly spool?: NarSpool;
}

/** A store that is empty, in front of `urls`. */
export class Client {
  readonly services = memoryServices();
  readonly local = new MemoryPathInfoService();
  readonly log = new RecordingLog();
  readonly upstreams: Upstreams;
  readonly pathInfos: SubstitutingPathInfoService;

  constructor(urls: readonly string[], options: ClientOptions = {}) {
    const { kept, spool, patienceMs = 500, ...rest } = options;
    const { keys = [KEY.publicKey], checkSignatures = true, ...http } = rest;
    this.upstreams = new Upstreams(
      urls.map((url) => {
        const fetcher = new HttpFetcher({
          address: url,
          base: new URL(url),
          connectTimeoutMs: 5000,
          stallTimeoutMs: 30_000,
          retry: { pauseMs: 1 },
          ...http,
        });
        return new Upstream({
          cache: new CacheReader(fetcher),
          breaker: new CircuitBreaker({ name: url }),
          keys,
          checkSignatures,
          kept,
          spool,
        });
      }),
      { patienceMs },
    );
    this.pathInfos = new SubstitutingPathInfoService({
      local: this.local,
      targets: this.services,
      upstreams: this.upstreams,
      log: this.log,
    });
  }

  get() {
    return this.pathInfos.get(STORE_PATH.hash);
  }
}

/** A server on a new cache. */
export async function serveCache(cache?: BinaryCache): Promise<CacheServer> {
  return await CacheServer.start((cache ?? (await newCache())).folder);
}
