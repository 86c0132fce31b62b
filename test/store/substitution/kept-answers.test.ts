import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalStore } from "../../../src/castore/local/store.js";
import { parseNarinfo } from "../../../src/store/narinfo/parse.js";
import { SecretKey } from "../../../src/store/signature/secret-key.js";
import { StorePath } from "../../../src/store/store-path.js";
import { KeptAnswers } from "../../../src/store/substitution/kept-answers.js";
import type { BinaryCache } from "../../support/binary-cache.js";
import { status } from "../../support/cache-server.js";
import { temporaryFolder } from "../../support/temp.js";
import {
  Client,
  type ClientOptions,
  edit,
  KEY,
  NAR,
  NARINFO,
  newCache,
  STORE_PATH,
  serveCache,
} from "./support/setting.js";

const DAY_MS = 24 * 60 * 60_000;
const ADDRESS = "https://cache.example.org";
const ABSENT = StorePath.parse("00000000000000000000000000000000-absent");

let store: LocalStore;
let cache: BinaryCache;
let nowMs = 1e12;

beforeEach(async () => {
  store = await LocalStore.open(join(temporaryFolder(), "store"));
  cache = await newCache();
});
afterEach(() => store.close());

/** As a new process has it. */
function open(options: { answersMax?: number } = {}): KeptAnswers {
  return new KeptAnswers(store.index, { now: () => nowMs, ...options });
}

/** Waits until all that was flushed is in the index. */
const written = () => store.index.commit(() => {}, 0);

const client = (url: string, options: ClientOptions) => new Client([url], options);

function narinfo() {
  const name = `${STORE_PATH.basename.slice(0, 32)}.narinfo`;
  return parseNarinfo(readFileSync(join(cache.folder, name)));
}

describe("KeptAnswers", () => {
  it("keeps what a cache has and what it lacks, each for its time and for this cache", async () => {
    const before = open();
    before.put(ADDRESS, STORE_PATH.hash, narinfo());
    before.put(ADDRESS, ABSENT.hash, undefined);
    expect(before.get(ADDRESS, STORE_PATH.hash)?.narinfo).toEqual(narinfo());
    before.flush();
    await written();
    const after = open();
    expect(after.get(ADDRESS, STORE_PATH.hash)?.narinfo).toEqual(narinfo());
    expect(after.get(ADDRESS, ABSENT.hash)).toEqual({ narinfo: undefined, remainingMs: 600_000 });
    expect(after.get("https://other.example.org", STORE_PATH.hash)).toBeUndefined();
    nowMs += 600_000;
    expect(after.get(ADDRESS, ABSENT.hash)).toBeUndefined();
    nowMs += 30 * DAY_MS - 600_001;
    expect(after.get(ADDRESS, STORE_PATH.hash)?.remainingMs).toBe(1);
    nowMs += 1;
    expect(after.get(ADDRESS, STORE_PATH.hash)).toBeUndefined();
  });

  it("believes nothing of the future", () => {
    const kept = open();
    kept.put(ADDRESS, STORE_PATH.hash, narinfo());
    nowMs -= 1;
    expect(kept.get(ADDRESS, STORE_PATH.hash)).toBeUndefined();
  });

  it("forgets, at once and for good", async () => {
    const kept = open();
    kept.put(ADDRESS, STORE_PATH.hash, narinfo());
    kept.flush();
    await written();
    kept.forget(ADDRESS, STORE_PATH.hash);
    expect(kept.get(ADDRESS, STORE_PATH.hash)).toBeUndefined();
    kept.flush();
    await written();
    expect(open().get(ADDRESS, STORE_PATH.hash)).toBeUndefined();
  });

  it("is bounded, and sweeps what is too old", async () => {
    const hashes = Array.from({ length: 20 }, (_, index) => Buffer.alloc(20, index));
    const kept = open({ answersMax: 16 });
    for (const hash of hashes) {
      kept.put(ADDRESS, hash, undefined);
      nowMs += 1000;
    }
    kept.flush();
    await written();
    const table = store.index.table("narinfos");
    expect(table.count).toBe(12);
    expect(hashes.map((hash) => open().get(ADDRESS, hash) !== undefined)).toEqual(
      hashes.map((_, index) => index >= 8),
    );
    nowMs += DAY_MS;
    const next = open();
    next.put(ADDRESS, STORE_PATH.hash, narinfo());
    next.flush();
    await written();
    expect(table.count).toBe(1);
  });
});

describe("A substituting store after a restart", () => {
  it("asks for no narinfo it has asked for, and for none that was absent", async () => {
    using server = await serveCache(cache);
    for (const _ of [1, 2]) {
      const kept = open();
      const each = client(server.url, { kept });
      expect(await each.pathInfos.describe(STORE_PATH.hash)).toMatchObject({ narinfo: {} });
      expect(await each.pathInfos.describe(ABSENT.hash)).toBeUndefined();
      expect(server.count(NARINFO)).toBe(2);
      each.upstreams.close();
      kept.flush();
      await written();
    }
    expect((await client(server.url, { kept: open() }).get())?.storePath).toEqual(STORE_PATH);
  });

  it("keeps no failure", async () => {
    using server = await serveCache(cache);
    server.inject(NARINFO, status(403), 1);
    await expect(client(server.url, { kept: open() }).get()).rejects.toThrow("403");
    expect(await client(server.url, { kept: open() }).get()).toBeDefined();
  });

  it("judges what it kept with the keys it has now", async () => {
    using server = await serveCache(cache);
    const kept = open();
    await client(server.url, { kept }).pathInfos.describe(STORE_PATH.hash);
    const other = SecretKey.generate("other-1");
    const stranger = client(server.url, { kept, keys: [other.publicKey] });
    await expect(stranger.get()).rejects.toThrow("No trusted key vouches");
    // It was asked whether that has changed.
    expect(server.count(NARINFO)).toBe(2);
    expect(server.count(NAR)).toBe(0);
  });

  it("asks once more when the NAR it knew of is gone", async () => {
    using server = await serveCache(cache);
    const kept = open();
    await client(server.url, { kept }).pathInfos.describe(STORE_PATH.hash);
    const { url } = narinfo();
    edit(cache, (text) => text.replace(url, "nar/renamed.nar"));
    const nar = readFileSync(join(cache.folder, url));
    rmSync(join(cache.folder, url));
    server.inject(/renamed/, (response) => void response.writeHead(200).end(nar));
    const second = client(server.url, { kept });
    expect((await second.get())?.storePath).toEqual(STORE_PATH);
    expect(server.count(NARINFO)).toBe(2);
    expect(kept.get(server.url, STORE_PATH.hash)?.narinfo?.url).toBe("nar/renamed.nar");
  });

  it("gives up when it is gone for good, and keeps nothing of it", async () => {
    using server = await serveCache(cache);
    const kept = open();
    await client(server.url, { kept, keys: [KEY.publicKey] }).pathInfos.describe(STORE_PATH.hash);
    rmSync(join(cache.folder, narinfo().url));
    await expect(client(server.url, { kept }).get()).rejects.toMatchObject({
      code: "corrupt",
    });
    expect(kept.get(server.url, STORE_PATH.hash)).toBeUndefined();
  });
});
