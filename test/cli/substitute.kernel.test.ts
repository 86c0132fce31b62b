/**
 * Mounts of an empty store in front of caches that Nix itself wrote. Every program here runs from such a mount.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { StorePath } from "../../src/store/store-path.js";
import { kernelTestsObstacle, until } from "../fuse/support/fake-mount.js";
import { BinaryCache } from "../support/binary-cache.js";
import { noise } from "../support/bytes.js";
import { CacheServer, instead, silence, status } from "../support/cache-server.js";
import { outputOf, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

const obstacle = kernelTestsObstacle ?? nixObstacle;
if (obstacle !== undefined) console.warn(`Substitution tests skipped: ${obstacle}`);

const COMPRESSIONS = ["none", "xz", "bzip2", "gzip", "zstd", "br"];
/** Nix takes its time to compress it with brotli. */
const LARGE_BYTES = 2_000_000;
const ABSENT = "00000000000000000000000000000000-absent";

/** A program that refers to what it needs, and to itself. */
const EXPRESSION = `
let
  make = name: script: derivation {
    inherit name;
    system = "x86_64-linux";
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    args = [ "-c" script ];
  };
  data = make "data" "mkdir $out; echo from data > $out/text; ln -s $out/text $out/link";
in make "program" ''
  mkdir -p $out/bin
  printf '#!/bin/sh\\n# \${data}\\ncat "$(dirname "$0")/../../\${baseNameOf data}/text"\\n' > $out/bin/program
  chmod +x $out/bin/program
  echo $out > $out/self
''`;

interface NixJson {
  readonly path: string;
  readonly registrationTime?: number;
  readonly ultimate?: boolean;
  readonly references: readonly string[];
}

/** What both sides tell of a path, in one order. */
function comparable(infos: readonly NixJson[]) {
  return infos
    .map(({ registrationTime: _, ultimate: __, ...info }) => ({
      ...info,
      references: info.references.toSorted(),
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

describe.skipIf(obstacle !== undefined)("A mount that substitutes", () => {
  const nix = new RealNix();
  const secretFile = join(temporaryFolder(), "secret");
  let key: string;
  let program: string;
  let large: string;
  let paths: string[];
  let plain: BinaryCache;

  const trusting = (...urls: string[]): string[] => [
    ...urls.flatMap((url) => ["--substituter", url]),
    "--trusted-public-key",
    key,
  ];

  async function copyTo(cache: BinaryCache, compression: string, ...what: string[]): Promise<void> {
    const url = cache.url(`compression=${compression}`, `secret-key=${secretFile}`);
    await nix.output("nix", "copy", "--to", url, ...what);
  }

  beforeAll(async () => {
    const folder = temporaryFolder();
    const publicFile = join(folder, "public");
    await nix.output("nix-store", "--generate-binary-cache-key", "test-1", secretFile, publicFile);
    key = (await outputOf("cat", publicFile)).trim();
    writeFileSync(join(folder, "program.nix"), EXPRESSION);
    const derivation = await nix.output("nix-instantiate", join(folder, "program.nix"));
    program = (await nix.output("nix-store", "--realise", derivation.trimEnd())).trimEnd();
    const tree = join(folder, "large");
    mkdirSync(join(tree, "a"), { recursive: true });
    writeFileSync(join(tree, "a", "noise"), noise(LARGE_BYTES, 1));
    writeFileSync(join(tree, "a", "small"), "small\n");
    large = await nix.add(tree);
    await nix.output(
      "nix",
      "store",
      "sign",
      "--key-file",
      secretFile,
      "--recursive",
      program,
      large,
    );
    paths = (await nix.pathInfos())
      .map(({ path }) => path)
      .filter((path) => !path.endsWith(".drv"));
    plain = new BinaryCache();
    await copyTo(plain, "none", program, large);
  });

  test.each(COMPRESSIONS)(
    "runs a program nobody installed, from a cache in %s",
    async (compression) => {
      const cache = new BinaryCache();
      await copyTo(cache, compression, program, large);
      const store = new TestStore();
      {
        using mount = await CliMount.start(store, ...trusting(cache.url()));
        expect(await outputOf(mount.path(program, "bin", "program"))).toBe("from data\n");
        expect(await outputOf("wc", "-c", mount.path(large, "a", "noise"))).toContain(
          `${LARGE_BYTES}`,
        );
        expect(await mount.stop()).toBe(0);
      }
      const wanted = (await nix.pathInfos(...paths)).filter(
        ({ path }) => [program, large].includes(path) || path.endsWith("-data"),
      );
      const found = await store.output("path-info", "--all", "--json", "--sigs");
      expect(comparable(JSON.parse(found))).toEqual(comparable(wanted));
      expect(wanted).toHaveLength(3);
      // Everything is read back against its NAR hash.
      expect((await store.readBack()).toSorted()).toEqual(
        wanted.map(({ path }) => path).toSorted(),
      );
    },
  );

  test("downloads once what ten processes read, and never again", async () => {
    using server = await CacheServer.start(plain.folder);
    const store = new TestStore();
    {
      using mount = await CliMount.start(store, ...trusting(server.url));
      const readers = Array.from({ length: 10 }, () =>
        outputOf("cat", mount.path(large, "a", "small")),
      );
      expect(new Set(await Promise.all(readers))).toEqual(new Set(["small\n"]));
      expect(await mount.stop()).toBe(0);
    }
    expect(server.count(/^nar\//)).toBe(1);
    expect(server.count(/\.narinfo$/)).toBe(1);
    using mount = await CliMount.start(store, ...trusting(server.url));
    expect(await outputOf("cat", mount.path(large, "a", "small"))).toBe("small\n");
    expect(server.count(/^nar\//)).toBe(1);
  });

  test("tells what is absent from what cannot be had, and shows nothing of a NAR that is wrong", async () => {
    using server = await CacheServer.start(plain.folder);
    const nar = plain.nar(StorePath.parseAbsolute(large));
    nar[LARGE_BYTES / 2] = (nar[LARGE_BYTES / 2] ?? 0) ^ 1;
    server.inject(/^nar\//, instead(nar), 1);
    using mount = await CliMount.start(new TestStore(), ...trusting(server.url));
    const absent = await runProgram("cat", [join(mount.mountPoint, ABSENT, "x")]);
    expect(absent.stderr).toContain("No such file or directory");
    const wrong = await runProgram("cat", [mount.path(large, "a", "small")]);
    expect(wrong).toMatchObject({ status: 1, stdout: "" });
    expect(wrong.stderr).toContain("Input/output error");
    await until(() => mount.stderr.includes("its FileHash is sha256:"));
    // It was no absence: the next one to look finds it.
    expect(await outputOf("cat", mount.path(large, "a", "small"))).toBe("small\n");
    expect(await mount.stop()).toBe(0);
  });

  test("reads what is local while every upstream refuses", async () => {
    using server = await CacheServer.start(plain.folder);
    using mount = await CliMount.start(new TestStore(), ...trusting(server.url));
    expect(await outputOf("cat", mount.path(large, "a", "small"))).toBe("small\n");
    server.inject(/./, status(403));
    const { status: exit, stderr } = await runProgram("cat", [mount.path(program, "self")]);
    expect([exit, stderr]).toEqual([1, expect.stringContaining("Input/output error")]);
    await until(() => mount.stderr.includes("403 (forbidden)"));
    expect(await outputOf("cat", mount.path(large, "a", "small"))).toBe("small\n");
    expect(await mount.stop()).toBe(0);
  });

  test("reads what is local while the upstream never answers", async () => {
    using server = await CacheServer.start(plain.folder);
    using mount = await CliMount.start(new TestStore(), ...trusting(server.url));
    expect(await outputOf("cat", mount.path(large, "a", "small"))).toBe("small\n");
    server.inject(/./, silence);
    const waiting = Array.from({ length: 4 }, (_, index) =>
      spawn("stat", [join(mount.mountPoint, `${"0".repeat(31)}${index}-absent`)]),
    );
    try {
      await until(() => server.count(/^0{31}\d\.narinfo$/) === waiting.length);
      // Nobody has looked at it yet, so the mount is what answers.
      expect(await outputOf("wc", "-c", mount.path(large, "a", "noise"))).toContain(
        `${LARGE_BYTES}`,
      );
      expect(waiting.map(({ exitCode }) => exitCode)).toEqual(waiting.map(() => null));
    } finally {
      for (const child of waiting) child.kill("SIGKILL");
    }
    expect(await mount.stop()).toBe(0);
  });

  test("asks for no narinfo of a closure again after a restart", async () => {
    using server = await CacheServer.start(plain.folder);
    const store = new TestStore();
    const look = ["prefetch", "--dry-run", ...trusting(server.url), program, large];
    const planned = await store.run(look);
    expect(planned).toMatchObject({ status: 0, stderr: expect.stringContaining("3 paths") });
    expect(server.count(/\.narinfo$/)).toBe(3);
    expect(await store.run(look)).toMatchObject({ status: 0, stderr: planned.stderr });
    expect(server.count(/\.narinfo$/)).toBe(3);
  });

  test("remembers what a cache lacks over a restart, for as long as it is told to", async () => {
    using server = await CacheServer.start(plain.folder);
    const store = new TestStore();
    const look = async (...options: string[]) => {
      using mount = await CliMount.start(store, ...options, ...trusting(server.url));
      const { stdout } = await runProgram("cat", [mount.path(large, "a", "small")]);
      expect(await mount.stop()).toBe(0);
      return [stdout, server.count(/\.narinfo$/)];
    };
    server.inject(/\.narinfo$/, status(404), 1);
    expect(await look()).toEqual(["", 1]);
    expect(await look()).toEqual(["", 1]);
    expect(await look("--narinfo-cache-negative-ttl", "0")).toEqual(["small\n", 2]);
  });

  test("ends whole what a killed process had begun", async () => {
    using server = await CacheServer.start(plain.folder);
    const store = new TestStore();
    {
      const hasStarted = new Promise<void>((resolve) => {
        server.inject(
          /^nar\//,
          (response, _request, file) => {
            const nar = file as Buffer;
            response.writeHead(200, { "content-length": nar.length });
            response.write(nar.subarray(0, nar.length - 1000), () => resolve());
          },
          1,
        );
      });
      using mount = await CliMount.start(store, ...trusting(server.url));
      const reading = runProgram("cat", [mount.path(large, "a", "small")]);
      await hasStarted;
      mount.discard();
      expect((await reading).stdout).toBe("");
    }
    expect(await store.list()).toEqual([]);
    using mount = await CliMount.start(store, ...trusting(server.url));
    expect(await outputOf("cat", mount.path(large, "a", "small"))).toBe("small\n");
    expect(await mount.stop()).toBe(0);
    expect(await store.readBack()).toEqual([large]);
  });

  test("is served by other commands too, from a cache that is the path info service", async () => {
    using server = await CacheServer.start(plain.folder);
    const store = new TestStore();
    const address = `nix+${server.url}?trusted-public-keys=${encodeURIComponent(key)}&priority=10`;
    const options = ["--path-info-service-addr", address];
    expect(await store.output("cat", ...options, `${basename(large)}/a/small`)).toBe("small\n");
    const dumped = await store.succeed(["nar", "dump", ...options, program]);
    expect(dumped.output.equals(plain.nar(StorePath.parseAbsolute(program)))).toBe(true);
    const asked = server.requests.length;
    expect(await store.output("cat", `${large}/a/small`)).toBe("small\n");
    expect(server.requests).toHaveLength(asked);
    const offline = await store.run([
      "cat",
      ...options,
      "--offline",
      `${paths.find((path) => path.endsWith("-data"))}/text`,
    ]);
    expect(offline).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("--offline is set"),
    });
  });

  test("prefetches closures, and says first what that would take", async () => {
    using server = await CacheServer.start(plain.folder);
    const store = new TestStore();
    const data = paths.find((path) => path.endsWith("-data")) as string;
    const planned = await store.run([
      "prefetch",
      "--dry-run",
      "--json",
      ...trusting(server.url),
      program,
    ]);
    const plan = JSON.parse(planned.stdout) as { fetched: string[]; downloadBytes: number };
    expect(plan.fetched).toEqual([data, program]);
    expect(plan.downloadBytes).toBe(
      plan.fetched.reduce((sum, path) => sum + plain.nar(StorePath.parseAbsolute(path)).length, 0),
    );
    expect(server.count(/^nar\//)).toBe(0);
    await store.succeed(["prefetch", ...trusting(server.url), program]);
    expect((await store.readBack()).toSorted()).toEqual([data, program].toSorted());
    const absent = await store.run(["prefetch", ...trusting(server.url), ABSENT]);
    expect(absent).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("neither in the store nor"),
    });
  });

  test("prefetches what the mount is told to", async () => {
    using server = await CacheServer.start(plain.folder);
    using mount = await CliMount.start(
      new TestStore(),
      "--prefetch",
      program,
      ...trusting(server.url),
    );
    await until(() => mount.stderr.includes("prefetched"));
    server.inject(/./, status(500));
    expect(await outputOf(mount.path(program, "bin", "program"))).toBe("from data\n");
    expect(await mount.stop()).toBe(0);
  });

  test("sends the credentials of a netrc file, and shows none of them", async () => {
    const netrc = join(temporaryFolder(), "netrc");
    writeFileSync(netrc, "machine 127.0.0.1 login reader password hunter2\n");
    using server = await CacheServer.start(plain.folder);
    const seen = new Set<string | undefined>();
    server.inject(/./, (response, request, file) => {
      seen.add(request.headers.authorization);
      if (file === undefined) response.writeHead(404).end();
      else server.serve(response, request, file);
    });
    const options = ["--netrc-file", netrc, "--log-level", "trace", ...trusting(server.url)];
    const { stdout, stderr } = await new TestStore().run(["cat", ...options, `${large}/a/small`]);
    expect(stdout).toBe("small\n");
    expect(stderr).not.toContain("hunter2");
    expect([...seen]).toEqual([`Basic ${Buffer.from("reader:hunter2").toString("base64")}`]);
  });

  test.each([
    [["--substituter", "ftp://c"], /unknown scheme; known are http, https and file/],
    [["--substituter", "http://c", "--trusted-public-key", "k"], /Invalid public key/],
    [["--blob-service-addr", "nix+http://c"], /a binary cache is for --path-info-service-addr/],
    [["--connect-timeout", "0"], /--connect-timeout must be a number of seconds/],
  ])("refuses %j as wrong usage", async (options, message) => {
    const { status, stderr } = await new TestStore().run(["ls", ...options, ABSENT]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
