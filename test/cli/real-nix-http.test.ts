/**
 * The real Nix as a client of our binary cache.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { runProgram } from "../support/child.js";
import { CLI, TestStore } from "../support/cli.js";
import { CliServer } from "../support/cli-server.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

if (nixObstacle !== undefined) console.warn(`Binary cache for Nix skipped: ${nixObstacle}`);

const folder = temporaryFolder();
const tree = join(folder, "tree");
mkdirSync(join(tree, "bin"), { recursive: true });
writeFileSync(join(tree, "bin", "tool"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
writeFileSync(join(tree, "large"), noise(3_000_000, 5));
symlinkSync("bin/tool", join(tree, "link"));

const secretKey = join(folder, "secret-key");

/** A daemon with a binary cache on a free port. */
async function startCache(
  ...options: string[]
): Promise<{ server: CliServer; url: string; store: TestStore }> {
  const store = new TestStore();
  const server = await CliServer.start(
    store,
    [
      "daemon",
      "-l",
      `unix:${join(temporaryFolder(), "socket")}`,
      "--http",
      "127.0.0.1:0",
      ...options,
    ],
    {},
    "http on",
  );
  const [, place = ""] = /^http on (\S+)$/m.exec(server.stderr) ?? [];
  return { server, url: `http://${place}`, store };
}

/** A chain of three paths in a Nix of its own; the last one refers to all. */
async function closure(nix: RealNix): Promise<string> {
  const first = await nix.add(tree);
  const second = await nix.addText("second", "see ", first);
  return await nix.addText("third", "see ", first, second);
}

describe.skipIf(nixObstacle !== undefined)("A binary cache for Nix:", () => {
  const servers: CliServer[] = [];
  let publicKey: string;

  beforeAll(async () => {
    const { stdout } = await runProgram(process.execPath, [
      CLI,
      "key",
      "generate",
      "ours",
      "-o",
      secretKey,
    ]);
    publicKey = stdout.trim();
    if (publicKey === "") {
      const shown = await runProgram(process.execPath, [CLI, "key", "public"], {
        input: readFileSync(secretKey),
      });
      publicKey = shown.stdout.trim();
    }
  });

  afterAll(() => {
    for (const server of servers) server[Symbol.dispose]();
  });

  async function cacheWith(...options: string[]) {
    const cache = await startCache(...options);
    servers.push(cache.server);
    return cache;
  }

  test.each(["none", "gzip", "br"])(
    "a closure goes in and comes out, every path equal and trusted: %s",
    async (compression) => {
      const source = new RealNix();
      const { url, store } = await cacheWith("--allow-upload", "--secret-key-file", secretKey);
      const path = await closure(source);
      await source.output("nix", "copy", "--to", `${url}?compression=${compression}`, path);

      const strict = `require-sigs = true\ntrusted-public-keys = ${publicKey}`;
      const copied = new RealNix(strict);
      await copied.output("nix", "copy", "--from", url, path);
      const realised = new RealNix(`${strict}\nsubstituters = ${url}`);
      await realised.output("nix-store", "--realise", path);
      const plain = (infos: Awaited<ReturnType<RealNix["pathInfos"]>>) =>
        infos
          .map(({ path: each, narHash, narSize, references }) => ({
            each,
            narHash,
            narSize,
            references: [...references].sort(),
          }))
          .sort((a, b) => (a.each < b.each ? -1 : 1));
      const expected = plain(await source.pathInfos());
      expect(expected).toHaveLength(3);
      for (const nix of [copied, realised]) {
        expect(plain(await nix.pathInfos())).toEqual(expected);
        await nix.output("nix", "store", "verify", "--all");
      }
      // And what was uploaded is in the store for everyone else.
      expect((await store.readBack()).sort()).toEqual(expected.map(({ each }) => each));
    },
  );

  test("what was imported here is served, listed, read and verified", async () => {
    const { url, store } = await cacheWith();
    const path = await store.import(tree, "--secret-key-file", secretKey);
    const nix = new RealNix(`trusted-public-keys = ${publicKey}`);
    const [info] = JSON.parse(await nix.output("nix", "path-info", "--json", "--store", url, path));
    const [local] = await store.list();
    expect([info.path, info.narHash, info.narSize]).toEqual([path, local?.narHash, local?.narSize]);
    await nix.output("nix", "store", "verify", "--store", url, path);
    const listed = await nix.output("nix", "store", "ls", "--store", url, "-R", path);
    expect(listed.split("\n")).toEqual(["./bin", "./bin/tool", "./large", "./link", ""]);
    const tool = await nix.output("nix", "store", "cat", "--store", url, `${path}/bin/tool`);
    expect(tool).toBe("#!/bin/sh\necho hello\n");
  });

  test("a path that is not there is said to be absent", async () => {
    const { url } = await cacheWith();
    const nix = new RealNix();
    const missing = `/nix/store/${"0".repeat(32)}-missing`;
    const ask = nix.output("nix", "path-info", "--store", url, missing);
    await expect(ask).rejects.toThrow("is not valid");
    await expect(nix.output("nix", "log", "--store", url, missing)).rejects.toThrow(
      "not available",
    );
  });

  test("signatures are added with nix store sign", async () => {
    const { url } = await cacheWith("--allow-upload");
    const nix = new RealNix();
    const path = await nix.add(tree);
    await nix.output("nix", "copy", "--to", `${url}?compression=none`, path);
    await nix.output("nix", "store", "sign", "--store", url, "--key-file", secretKey, path);
    const [info] = JSON.parse(
      await new RealNix().output("nix", "path-info", "--json", "--store", url, path),
    );
    expect(info.signatures).toEqual([expect.stringMatching(/^ours:/)]);
  });

  test("listings that Nix writes are taken", async () => {
    const { url } = await cacheWith("--allow-upload");
    const nix = new RealNix();
    const path = await nix.add(tree);
    await nix.output("nix", "copy", "--to", `${url}?compression=none&write-nar-listing=1`, path);
    const answer = await fetch(`${url}/${path.slice(11, 43)}.ls`);
    const listing = JSON.parse(await answer.text());
    expect(Object.keys(listing.root.entries)).toEqual(["bin", "large", "link"]);
  });

  test("an upload without the right fails at once, and says why", async () => {
    const { url, store } = await cacheWith();
    const nix = new RealNix();
    const path = await nix.add(tree);
    const copy = nix.output("nix", "copy", "--to", url, path);
    await expect(copy).rejects.toThrow("--allow-upload");
    expect(await store.list()).toEqual([]);
  });

  test("a netrc file carries the token", async () => {
    const token = "0123456789abcdef-token";
    const tokens = join(folder, "tokens");
    writeFileSync(tokens, `write ci ${token}\n`, { mode: 0o600 });
    const { url } = await cacheWith("--allow-upload", "--tokens", tokens);
    const netrc = join(folder, "netrc");
    writeFileSync(netrc, `machine 127.0.0.1 login nix password ${token}\n`);
    const source = new RealNix(`netrc-file = ${netrc}`);
    const path = await source.add(tree);
    await source.output("nix", "copy", "--to", `${url}?compression=none`, path);
    const destination = new RealNix(`netrc-file = ${netrc}`);
    await destination.output("nix", "copy", "--from", url, path);
    const stranger = new RealNix().output("nix", "copy", "--from", url, path);
    await expect(stranger).rejects.toThrow();
  });
});
