/**
 * `tvix-store copy` between stores, daemons, binary caches and the disk.
 */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { WRITABLE_COMPRESSIONS } from "../../src/base/compression/compress.js";
import { LocalStore } from "../../src/castore/local/store.js";
import { LocalPathInfoService } from "../../src/store/path-info/local.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { StorePath } from "../../src/store/store-path.js";
import { until } from "../fuse/support/fake-mount.js";
import { BinaryCache } from "../support/binary-cache.js";
import { noise } from "../support/bytes.js";
import { CLI, TestStore } from "../support/cli.js";
import { CliDaemon } from "../support/cli-daemon.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

interface Copied {
  readonly path: string;
  readonly copied: boolean;
  readonly bytes: number;
  readonly blobs?: number;
}

const LARGE_BYTES = 256 * 1024;

/** Far beyond what it takes on a busy machine. */
const WAIT_MS = 300_000;

/** A tree whose `link` names `mentioned`. */
function makeTree(mentioned: string, seed: number): string {
  const tree = join(temporaryFolder(), `tree-${seed}`);
  mkdirSync(join(tree, "lib", "deep"), { recursive: true });
  mkdirSync(join(tree, "empty"));
  writeFileSync(join(tree, "large"), noise(LARGE_BYTES, seed));
  writeFileSync(join(tree, "lib", "deep", "small"), `number ${seed}\n`);
  writeFileSync(join(tree, "lib", "run"), "#!/bin/sh\n", { mode: 0o755 });
  symlinkSync(mentioned, join(tree, "link"));
  return tree;
}

async function makeClosure() {
  const store = new TestStore();
  const leaf = await store.import(makeTree("nowhere", 1), "--references", "auto");
  const middle = await store.import(makeTree(leaf, 2), "--references", "auto");
  const top = await store.import(makeTree(`${middle}/lib`, 3), "--references", "auto");
  await store.import(makeTree("nowhere", 4));
  return { store, leaf, middle, top };
}

let closure: ReturnType<typeof makeClosure> | undefined;

/** A store of one's own in which `top` refers to `middle`, and this one to `leaf`. */
async function closureStore() {
  closure ??= makeClosure();
  const { store: made, ...paths } = await closure;
  const store = new TestStore();
  cpSync(made.folder, store.folder, { recursive: true });
  return { store, ...paths };
}

async function infoOf(store: TestStore): Promise<unknown[]> {
  const infos = JSON.parse(await store.output("path-info", "--all", "--json")) as {
    path: string;
  }[];
  return infos.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function copyJson(store: TestStore, ...args: string[]): Promise<Copied[]> {
  return JSON.parse(await store.output("copy", "--json", ...args)) as Copied[];
}

function localAddress({ folder }: TestStore): string {
  return `local://${folder}`;
}

describe("copy between stores", () => {
  it("takes a path with all it refers to, references first, and nothing the second time", async () => {
    const { store, leaf, middle, top } = await closureStore();
    const target = new TestStore();
    const printed = await store.output("copy", top, "--to", localAddress(target));
    expect(printed).toBe(`${leaf}\n${middle}\n${top}\n`);
    expect((await target.readBack()).sort()).toEqual([leaf, middle, top].sort());
    expect(await store.output("copy", top, "--to", localAddress(target))).toBe("");
  });

  it("takes everything with --all, path infos and all, from the other side as well", async () => {
    const { store } = await closureStore();
    const target = new TestStore();
    await target.output("copy", "--all", "--from", localAddress(store));
    expect(await infoOf(target)).toEqual(await infoOf(store));
    await target.readBack();
  });

  it("takes only the paths themselves with --no-recursive", async () => {
    const { store, top } = await closureStore();
    const target = new TestStore();
    await store.output("copy", "--no-recursive", top, "--to", localAddress(target));
    expect(await target.readBack()).toEqual([top]);
  });

  it("moves what is missing and no more", async () => {
    const store = new TestStore();
    const target = new TestStore();
    const tree = makeTree("nowhere", 1);
    const before = await store.import(tree);
    const [first] = await copyJson(store, before, "--to", localAddress(target));
    expect(first).toMatchObject({ path: before, copied: true, blobs: 3 });
    writeFileSync(join(tree, "lib", "deep", "small"), "changed\n");
    const after = await store.import(tree);
    expect(await copyJson(store, after, "--to", localAddress(target))).toEqual([
      { path: after, copied: true, blobs: 1, bytes: 8 },
    ]);
    expect(await copyJson(store, after, "--to", localAddress(target))).toEqual([
      { path: after, copied: false, bytes: 0 },
    ]);
  });

  it("fetches again what the target knows of but lacks", async () => {
    const { store, leaf } = await closureStore();
    const target = new TestStore();
    await store.output("copy", leaf, "--to", localAddress(target));
    removeLargeBlobs(target);
    const [again] = await copyJson(store, leaf, "--to", localAddress(target));
    expect(again).toMatchObject({ copied: true, blobs: 1, bytes: LARGE_BYTES });
    await target.readBack();
  });

  it("takes no path whose content is not what the source says", async () => {
    const { store, leaf } = await closureStore();
    const opened = await LocalStore.open(store.folder);
    const pathInfos = new LocalPathInfoService(opened.index);
    const { hash } = StorePath.parse(basename(leaf));
    const honest = (await pathInfos.get(hash)) as PathInfo;
    const { ca: _ca, ...lie } = { ...honest, narSha256: Buffer.alloc(32, 9) };
    const liar = StorePath.from(Buffer.alloc(20, 9), "liar");
    await pathInfos.put({ ...lie, storePath: liar });
    await opened.close();
    const target = new TestStore();
    const outcome = await store.run(["copy", String(liar), "--to", localAddress(target)]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain(`The content of ${liar} does not have its NAR hash`);
    expect(await target.list()).toEqual([]);
  });

  it("stores no path whose content the source lacks", async () => {
    const { store, top } = await closureStore();
    removeLargeBlobs(store);
    const target = new TestStore();
    const outcome = await store.run(["copy", top, "--to", localAddress(target)]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toMatch(/[Bb]lob blake3-/);
    expect(await target.list()).toEqual([]);
    const cache = new BinaryCache();
    expect((await store.run(["copy", top, "--to", `nix+${cache.url()}`])).status).toBe(1);
    expect(cache.narinfos()).toEqual([]);
    expect(readdirSync(join(cache.folder, ".tvix-store-tmp"))).toEqual([]);
  });

  it.each([
    [["copy", "--all"], /--from, --to or both/],
    [["copy", "--to", "memory://"], /store paths, --all or --reference-graph/],
    [["copy", "--all", "--to", "nix+https://cache.example.org"], /written as folders/],
    [["copy", "--all", "--to", "nix+file:///c?compression=bzip2"], /none, xz, gzip, zstd, br/],
    [["copy", "--all", "--to", "nix+file:///c?secret=x"], /known are compression and secret-key/],
    [["copy", "--all", "--to", "ftp://host"], /unknown scheme/],
    [["copy", "--reference-graph", "x", "--from", "memory://"], /copies from disk/],
  ])("refuses %j", async (args, message) => {
    const outcome = await new TestStore().run(args);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr).toMatch(message);
  });

  it("refuses to copy a store to itself", async () => {
    const { store } = await closureStore();
    const outcome = await store.run(["copy", "--all", "--to", localAddress(store)]);
    expect(outcome).toMatchObject({ status: 2, stderr: expect.stringContaining("same store") });
  });
});

describe("copy over gRPC", () => {
  it("pushes to a daemon and pulls from it", async () => {
    const { store, leaf, middle, top } = await closureStore();
    using daemon = new CliDaemon();
    await daemon.start();
    const pushed = await copyJson(store, top, "--to", daemon.address);
    expect(pushed).toMatchObject([{ path: leaf }, { path: middle }, { path: top }]);
    // Each has a blob of its own that is large and one that is small; one they share.
    expect(pushed.reduce((sum, { blobs = 0 }) => sum + blobs, 0)).toBe(7);
    expect(
      (await copyJson(store, top, "--to", daemon.address)).map(({ copied }) => copied),
    ).toEqual([false, false, false]);
    await daemon.store.readBack();

    const target = new TestStore();
    await target.output("copy", top, "--from", daemon.address);
    expect(await infoOf(target)).toEqual(await infoOf(daemon.store));
    await target.readBack();
  });

  it("copies from one daemon to another", async () => {
    const { store, top } = await closureStore();
    using near = new CliDaemon(store);
    using far = new CliDaemon();
    await Promise.all([near.start(), far.start()]);
    const nobody = new TestStore();
    await nobody.output("copy", top, "--from", near.address, "--to", far.address);
    expect(await far.store.readBack()).toHaveLength(3);
    expect(existsSync(nobody.folder)).toBe(false);
  });

  it("ends whole when it is killed and done again", async () => {
    const store = new TestStore();
    const tree = makeTree("nowhere", 5);
    for (let index = 0; index < 20; index++) {
      writeFileSync(join(tree, `large-${index}`), noise(4 * 1024 * 1024, 100 + index));
    }
    const path = await store.import(tree);
    using daemon = new CliDaemon();
    await daemon.start();
    await killedCopy(store, ["--all", "--to", daemon.address], () =>
      hasLargeBlobs(daemon.store, 3),
    );
    expect(await daemon.store.list()).toEqual([]);
    const [again] = await copyJson(store, "--all", "--to", daemon.address);
    expect(again?.blobs).toBeLessThan(23);
    expect(await daemon.store.readBack()).toEqual([path]);
  });
});

describe("copy to a binary cache", () => {
  it("does not write again what is there, and writes what was lost", async () => {
    const { store, top } = await closureStore();
    const cache = new BinaryCache();
    const copy = () => copyJson(store, top, "--to", `nix+${cache.url("compression=zstd")}`);
    expect((await copy()).map(({ copied }) => copied)).toEqual([true, true, true]);
    expect((await copy()).map(({ copied }) => copied)).toEqual([false, false, false]);
    const nar = /^URL: (.*)$/m.exec(cache.narinfos()[0] as string)?.[1] as string;
    writeFileSync(join(cache.folder, nar), "cut");
    expect((await copy()).filter(({ copied }) => copied)).toHaveLength(1);
  });

  it("refuses the cache of another store", async () => {
    const { store, top } = await closureStore();
    const cache = new BinaryCache();
    writeFileSync(join(cache.folder, "nix-cache-info"), "StoreDir: /gnu/store\n");
    const outcome = await store.run(["copy", top, "--to", `nix+${cache.url()}`]);
    expect(outcome).toMatchObject({ status: 1, stderr: expect.stringContaining("/gnu/store") });
  });

  it("ends whole when it is killed and done again", async () => {
    const { store } = await closureStore();
    const large = join(temporaryFolder(), "large");
    writeFileSync(large, noise(2_000_000));
    await store.import(large);
    const cache = new BinaryCache();
    const to = `nix+${cache.url("compression=xz")}`;
    await killedCopy(store, ["--all", "--to", to], () => {
      const folder = join(cache.folder, ".tvix-store-tmp");
      return existsSync(folder) && readdirSync(folder).length > 0;
    });
    await copyJson(store, "--all", "--to", to);
    expect(cache.narinfos()).toHaveLength(5);
    const again = await copyJson(store, "--all", "--to", to);
    expect(again.map(({ copied }) => copied)).toEqual([false, false, false, false, false]);
  });

  describe.skipIf(nixObstacle !== undefined)("that the real Nix reads:", () => {
    it.each(WRITABLE_COMPRESSIONS)("compressed with %s", async (compression) => {
      const { store, top } = await closureStore();
      const cache = new BinaryCache(temporaryFolder());
      await store.output("copy", top, "--to", `nix+${cache.url(`compression=${compression}`)}`);
      const folder = temporaryFolder();
      const nix = new RealNix("", folder);
      await nix.output("nix", "copy", "--from", cache.url(), "--no-check-sigs", top);
      await nix.output("nix", "store", "verify", "--no-trust", "--recursive", top);
      const infos = await nix.pathInfos();
      expect(infos).toHaveLength(3);
      for (const { path, narHash, references, ca } of infos) {
        const dumped = await nix.dump(join(folder, "root", path));
        expect(dumped.equals(await store.narDump(path))).toBe(true);
        const [ours] = JSON.parse(await store.output("path-info", "--json", path));
        expect({ narHash, references: [...references].sort(), ca }).toEqual({
          narHash: ours.narHash,
          references: [...ours.references].sort(),
          ca: ours.ca,
        });
      }
    });

    it("by their whole names only", async () => {
      const { store, path } = await inputAddressedStore();
      const cache = new BinaryCache();
      await store.output("copy", path, "--to", `nix+${cache.url()}`);
      const there = new TestStore();
      const wrong = `${path}-not`;
      const from = ["--from", `nix+${cache.url()}`, "--no-check-signatures"];
      const { status, stderr } = await there.run(["copy", wrong, ...from]);
      expect(status).toBe(1);
      expect(stderr).toContain(`${wrong} is nowhere to be had, but ${path} is`);
    });

    it("signed, so that nothing but the key is trusted", async () => {
      const { store, graph, path } = await inputAddressedStore();
      expect(graph).toContain(path);
      const key = SecretKey.generate("cache-1");
      const keyFile = join(temporaryFolder(), "key");
      writeFileSync(keyFile, key.reveal());
      const cache = new BinaryCache();
      const unsigned = new BinaryCache();
      await store.output("copy", path, "--to", `nix+${cache.url(`secret-key=${keyFile}`)}`);
      await store.output("copy", path, "--to", `nix+${unsigned.url()}`);
      const strict = () =>
        new RealNix(`require-sigs = true\ntrusted-public-keys = ${key.publicKey}`);
      await expect(strict().output("nix", "copy", "--from", unsigned.url(), path)).rejects.toThrow(
        /signature/,
      );
      const nix = strict();
      await nix.output("nix", "copy", "--from", cache.url(), path);
      await nix.output("nix", "store", "verify", "--recursive", path);
    });
  });
});

describe("copy from a binary cache", () => {
  it("takes what copy wrote, with all it refers to, and nothing the second time", async () => {
    const { store, leaf, middle, top } = await closureStore();
    const key = SecretKey.generate("cache-1");
    const keyFile = join(temporaryFolder(), "key");
    writeFileSync(keyFile, key.reveal());
    const cache = new BinaryCache();
    const to = `nix+${cache.url("compression=zstd", `secret-key=${keyFile}`)}`;
    await store.output("copy", top, "--to", to);
    const target = new TestStore();
    const args = ["copy", top, "--from", `nix+${cache.url()}`, "--trusted-public-key"];
    expect(await target.output(...args, `${key.publicKey}`)).toBe(`${leaf}\n${middle}\n${top}\n`);
    expect(await target.output(...args, `${key.publicKey}`)).toBe("");
    expect((await target.readBack()).sort()).toEqual([leaf, middle, top].sort());

    const one = new TestStore();
    expect(await one.output("copy", "--no-recursive", ...args.slice(1), `${key.publicKey}`)).toBe(
      `${top}\n`,
    );
    const outcome = await one.run(["copy", "--all", "--from", `nix+${cache.url()}`]);
    expect(outcome).toMatchObject({ status: 2, stderr: expect.stringContaining("does not list") });
  });
});

describe.skipIf(nixObstacle !== undefined)("copy from the store of Nix", () => {
  it("takes what nix path-info --json tells, which then is the same here", async () => {
    const folder = temporaryFolder();
    const nix = new RealNix("", folder);
    const leaf = await nix.addText("leaf", "a text");
    const top = await nix.addText("top", "see ", leaf);
    const tree = await nix.add(makeTree("nowhere", 6));
    const graph = join(temporaryFolder(), "graph.json");
    writeFileSync(graph, await nix.output("nix", "path-info", "--json", "-r", top, tree));
    const store = new TestStore();
    const args = ["--reference-graph", graph, "--store-root", join(folder, "root")];
    const copied = await copyJson(store, ...args);
    expect(copied.map(({ path }) => path).sort()).toEqual([leaf, top, tree].sort());
    expect(copied.findIndex(({ path }) => path === leaf)).toBeLessThan(
      copied.findIndex(({ path }) => path === top),
    );
    await store.readBack();
    const theirs = await nix.pathInfos();
    const ours = (await infoOf(store)) as typeof theirs;
    for (const { path, narHash, narSize, references, ca } of theirs) {
      expect(ours.find((each) => each.path === path)).toMatchObject({
        narHash,
        narSize,
        references,
        ca,
      });
    }
    expect((await copyJson(store, ...args)).some((each) => each.copied)).toBe(false);
  });

  it("takes what exportReferencesGraph writes", async () => {
    const { store, path, middle } = await inputAddressedStore();
    expect(await store.output("path-info", "-r", path)).toBe(`${middle}\n${path}\n`);
    expect(await store.readBack()).toHaveLength(2);
  });

  it("stores nothing of a path that is not as the graph says", async () => {
    const folder = temporaryFolder();
    const nix = new RealNix("", folder);
    const path = await nix.addText("leaf", "a text");
    const graph = join(temporaryFolder(), "graph.json");
    const [info] = await nix.pathInfos(path);
    const other = await nix.addText("other", "another");
    const [wrong] = await nix.pathInfos(other);
    writeFileSync(graph, JSON.stringify([{ ...info, narHash: wrong?.narHash }]));
    const store = new TestStore();
    const args = ["copy", "--reference-graph", graph, "--store-root", join(folder, "root")];
    const outcome = await store.run(args);
    expect(outcome).toMatchObject({ status: 1, stderr: expect.stringContaining("NAR hash") });
    expect(await store.list()).toEqual([]);
  });
});

/** A store with two paths that no content address speaks for, from a graph in text. */
async function inputAddressedStore() {
  const folder = temporaryFolder();
  const nix = new RealNix("", folder);
  const middle = await nix.addText("middle", "a text");
  const path = await nix.addText("top", "see ", middle);
  const graph = `${path}\n\n1\n${middle}\n${middle}\n\n0\n`;
  const file = join(temporaryFolder(), "graph");
  writeFileSync(file, graph);
  const store = new TestStore();
  await store.output("copy", "--reference-graph", file, "--store-root", join(folder, "root"));
  return { store, graph, path, middle };
}

/** Starts a copy and kills it as soon as `isUnderWay`. */
async function killedCopy(
  store: TestStore,
  args: readonly string[],
  isUnderWay: () => boolean,
): Promise<void> {
  const child = spawn(process.execPath, [CLI, "copy", ...args], {
    env: store.environment,
    stdio: "ignore",
  });
  const exited = new Promise((resolve) => child.on("exit", resolve));
  await until(() => isUnderWay() || child.exitCode !== null, WAIT_MS);
  child.kill("SIGKILL");
  await exited;
  expect(child.signalCode).toBe("SIGKILL");
}

function largeBlobs({ folder }: TestStore): string[] {
  const blobs = join(folder, "blobs");
  if (!existsSync(blobs)) return [];
  return readdirSync(blobs, { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes("/"))
    .map((name) => join(blobs, name));
}

function hasLargeBlobs(store: TestStore, count: number): boolean {
  return largeBlobs(store).length >= count;
}

function removeLargeBlobs(store: TestStore): void {
  const files = largeBlobs(store);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) rmSync(file);
}
