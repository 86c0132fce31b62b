/**
 * Mounts that show store paths as their listings say they are, before they are here.
 */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { listNar } from "../../src/store/nar/listing.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { StorePath } from "../../src/store/store-path.js";
import { kernelTestsObstacle, until } from "../fuse/support/fake-mount.js";
import { narOf } from "../store/nar/support/nar.js";
import {
  directory,
  file,
  memoryServices,
  storeTree,
  symlink,
  type Tree,
} from "../store/support/tree.js";
import { BinaryCache } from "../support/binary-cache.js";
import { noise } from "../support/bytes.js";
import { CacheServer } from "../support/cache-server.js";
import { outputOf, python, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

const obstacle = kernelTestsObstacle ?? nixObstacle;
if (obstacle !== undefined) console.warn(`Tests of lazy mounts skipped: ${obstacle}`);

const MEGABYTE = 1_000_000;
/** On each side of the small files. What is transferred for the others does not depend on it. */
const ZEROS_BYTES = 4 * MEGABYTE;
const SMALL_FILES = 200;

/** What is at each path below a folder, times and inodes left out. */
const LOOK = ["-printf", "%P %y %m %s [%l]\\n"];
const READ_ONLY = /(?<= [fd] 0?)[0-7]+/g;

async function look(path: string): Promise<string[]> {
  const found = await outputOf("find", `${path}/`, "-mindepth", "1", ...LOOK);
  // Folders have the size their file system gives them.
  return found
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/( d \S+) \d+/, "$1"))
    .toSorted();
}

/**
 * As {@link look}, at what was withdrawn. The kernel believes the name of a store path for a second: until then it
 * shows what it remembers, and where it remembers only some of it, that the rest is stale.
 */
async function lookAgain(path: string): Promise<string[]> {
  try {
    return await look(path);
  } catch (error) {
    expect(String(error)).toContain("Stale file handle");
    return [];
  }
}

const VERIFIED = `
import os, sys
print(os.getxattr(sys.argv[1], "user.tvix.verified").decode())
`;

async function verified(path: string): Promise<string> {
  return (await python(VERIFIED, path)).trim();
}

/** Comes to its end when all below a folder has been checked. */
const UNTIL_VERIFIED = `
import os, sys, time
limit = time.time() + 50
while os.getxattr(sys.argv[1], "user.tvix.verified") != b"yes":
    assert time.time() < limit
    time.sleep(0.02)
`;

/** Opens a file, reads many others until all has been checked, and tells what has become of what it opened. */
const READ_ON = `
import os, sys, time
folder, large, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
open_file = os.open(large, os.O_RDONLY)
before = [os.fstat(open_file), os.stat(folder)]
assert os.getxattr(folder, "user.tvix.verified") == b"no"
for number in range(count):
    with open(f"{folder}/{number:03}", "rb") as file: file.read()
${UNTIL_VERIFIED}
after = [os.fstat(open_file), os.stat(folder)]
assert [each.st_ino for each in before] == [each.st_ino for each in after]
assert os.pread(open_file, 10, before[0].st_size - 5) == b"\\0" * 5
print("same")
`;

describe.skipIf(obstacle !== undefined)("A lazy mount", () => {
  const nix = new RealNix();
  const folder = temporaryFolder();
  const secretFile = join(folder, "secret");
  const source = join(folder, "large");
  let key: string;
  let large: string;

  /** With a delay that no machine is slow enough for, unless told. */
  const lazily = (url: string, delaySeconds = 600): string[] => [
    "--lazy",
    ...["--lazy-delay", String(delaySeconds)],
    ...["--substituter", url],
    ...["--trusted-public-key", key],
  ];

  let plain: BinaryCache;

  async function cacheIn(compression: string): Promise<BinaryCache> {
    const cache = new BinaryCache();
    const options = [`compression=${compression}`, `secret-key=${secretFile}`];
    const url = cache.url(...options, "write-nar-listing=1");
    await nix.output("nix", "copy", "--to", url, large);
    return cache;
  }

  beforeAll(async () => {
    const publicFile = join(folder, "public");
    await nix.output("nix-store", "--generate-binary-cache-key", "test-1", secretFile, publicFile);
    key = readFileSync(publicFile, "utf8").trim();
    mkdirSync(join(source, "middle"), { recursive: true });
    for (const name of ["a-zeros", "z-zeros"]) {
      writeFileSync(join(source, name), "");
      truncateSync(join(source, name), ZEROS_BYTES);
    }
    for (let number = 0; number < SMALL_FILES; number++) {
      const name = String(number).padStart(3, "0");
      writeFileSync(join(source, "middle", name), noise(1000, number));
    }
    writeFileSync(join(source, "middle", "program"), "#!/bin/sh\necho it runs\n");
    chmodSync(join(source, "middle", "program"), 0o755);
    symlinkSync("../a-zeros", join(source, "middle", "link"));
    symlinkSync("nowhere", join(source, "größe"));
    large = await nix.add(source);
    plain = await cacheIn("none");
  });

  test("shows a tree that is not here, reads single files of it, and keeps it all when it has come", async () => {
    using server = await CacheServer.start(plain.folder);
    const store = new TestStore();
    const expected = (await look(source)).map((line) =>
      line.replace(READ_ONLY, (mode) => (mode === "644" ? "444" : "555")),
    );
    {
      using mount = await CliMount.start(store, ...lazily(server.url));
      expect(mount.stderr).toContain("shown before it is checked");
      await outputOf("ls", "-lR", mount.path(large));
      expect(await look(mount.path(large))).toEqual(expected);
      expect(await verified(mount.path(large))).toBe("no");
      expect(await verified(mount.path(large, "middle", "000"))).toBe("no");
      expect(server.count(/^nar\//)).toBe(0);
      expect(server.bytesSent).toBeLessThan(MEGABYTE);
      // Not from here: who starts a program waits for it to be read, and this process serves the cache.
      expect(await outputOf("sh", "-c", mount.path(large, "middle", "program"))).toBe("it runs\n");
      const readers = Array.from({ length: 10 }, () =>
        runProgram("cat", [mount.path(large, "middle", "100")]),
      );
      for (const { output } of await Promise.all(readers)) {
        expect(output.equals(noise(1000, 100))).toBe(true);
      }
      expect(server.parts).toHaveLength(2);
      expect(server.count(/^nar\//)).toBe(2);
      expect(server.bytesSent).toBeLessThan(2 * MEGABYTE);
    }
    // It was killed.
    expect(await store.list()).toEqual([]);
    using mount = await CliMount.start(store, ...lazily(server.url));
    server.bytesSent = 0;
    const [middle, zeros] = [mount.path(large, "middle"), mount.path(large, "z-zeros")];
    const reading = [20, SMALL_FILES, SMALL_FILES].map((count) =>
      python(READ_ON, middle, zeros, String(count)),
    );
    expect(await Promise.all(reading)).toEqual(["same\n", "same\n", "same\n"]);
    // All of it came once, beside the files that were asked for before.
    expect(server.bytesSent).toBeLessThan(2 * ZEROS_BYTES + 2 * MEGABYTE);
    expect(await look(mount.path(large))).toEqual(expected);
    expect(await mount.stop()).toBe(0);
    expect(await store.readBack()).toEqual([large]);
  });

  test("waits for a file of a compressed NAR until it has been unpacked", async () => {
    using server = await CacheServer.start((await cacheIn("zstd")).folder);
    using mount = await CliMount.start(new TestStore(), ...lazily(server.url));
    await look(mount.path(large));
    expect(server.count(/^nar\//)).toBe(0);
    const readers = Array.from({ length: 10 }, (_, number) =>
      runProgram("cat", [mount.path(large, "middle", `00${number}`)]),
    );
    for (const [number, { output }] of (await Promise.all(readers)).entries()) {
      expect(output.equals(noise(1000, number))).toBe(true);
    }
    await python(UNTIL_VERIFIED, mount.path(large));
    expect(server.count(/^nar\//)).toBe(1);
  });

  test("reads from a cache in a folder, with passthrough, too", async () => {
    const options = [...lazily(plain.url(), 0), "--passthrough", "on"];
    using mount = await CliMount.start(new TestStore(), ...options);
    expect(await outputOf(mount.path(large, "middle", "program"))).toBe("it runs\n");
    await outputOf("cmp", join(source, "a-zeros"), mount.path(large, "a-zeros"));
    await python(UNTIL_VERIFIED, mount.path(large));
    await outputOf("diff", "-r", "--no-dereference", source, mount.path(large));
  });

  test.each([
    [["--lazy"], "--lazy needs a --substituter"],
    [["--lazy", "--lazy-delay", "-1"], "--lazy-delay must be a number of seconds"],
    [
      ["--lazy", "--substituter", "http://c", "--blob-service-addr", "grpc+http://b:1"],
      "--lazy is for stores on this machine",
    ],
  ])("refuses %j as wrong usage", async (options, message) => {
    const { status, stderr } = await new TestStore().run(["mount", folder, ...options]);
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

/** What the NAR holds. */
const TRUTH = {
  a: file("12345678"),
  b: file("honest\n"),
  link: symlink("a-target"),
  x: file("x"),
  z: file(noise(1000)),
};
const SHOWN_TRUTH = [
  "a f 444 8 []",
  "b f 444 7 []",
  "link l 777 8 [a-target]",
  "x f 444 1 []",
  "z f 444 1000 []",
];

/** What listings make of it, and what is wrong about that. Their NARs would have the same length. */
const LIES: readonly (readonly [what: string, tree: Record<string, Tree>, reason: string])[] = [
  [
    "a size",
    { ...TRUTH, a: file("1234567890123456"), z: file(noise(992)) },
    '"a": it is listed with 16 bytes, but has 8',
  ],
  [
    "a target",
    { ...TRUTH, link: symlink("b-target") },
    '"link": it is listed with the target "b-target", but has "a-target"',
  ],
  [
    "an extra entry",
    { ...TRUTH, c: file(""), z: file(noise(1000 - 184)) },
    '"c" is listed, but not there',
  ],
  [
    "a missing entry",
    { a: TRUTH.a, b: TRUTH.b, link: TRUTH.link, z: file(noise(1000 + 192)) },
    '"x" is not listed',
  ],
  [
    "an executable",
    { ...TRUTH, a: file("12345678", true), z: file(noise(1000 - 32)) },
    '"a": it is not executable',
  ],
];

describe.skipIf(kernelTestsObstacle !== undefined)("A listing that is wrong", () => {
  const secret = SecretKey.generate("cache-1");
  const cache = new BinaryCache();
  const nar = narOf(directory(TRUTH));
  let added = 0;
  const options = (server: CacheServer): string[] => [
    "--lazy",
    ...["--substituter", server.url, "--trusted-public-key", secret.publicKey.toString()],
  ];

  function add(name: string, listing: string): StorePath {
    const hash = String(added++).padStart(32, "0");
    const storePath = StorePath.parse(`${hash}-${name.replaceAll(" ", "-")}`);
    cache.add({ storePath, nar, signWith: secret });
    writeFileSync(join(cache.folder, `${hash}.ls`), listing);
    return storePath;
  }

  async function listingOf(tree: Record<string, Tree>): Promise<string> {
    expect(narOf(directory(tree))).toHaveLength(nar.length);
    const services = memoryServices();
    let text = "";
    for await (const piece of listNar(
      await storeTree(directory(tree), services),
      services.directories,
    )) {
      text += piece;
    }
    return text;
  }

  test("is found out when the NAR is here, whatever it was wrong about, and the truth is shown", async () => {
    const lies = await Promise.all(
      LIES.map(async ([what, tree, reason]) => [add(what, await listingOf(tree)), reason] as const),
    );
    using server = await CacheServer.start(cache.folder);
    // So that the first read asks for all of it.
    server.ranges = false;
    const store = new TestStore();
    using mount = await CliMount.start(store, ...options(server));
    const findOut = async ({ basename }: StorePath, reason: string): Promise<void> => {
      const path = mount.path(basename);
      const shown = await look(path);
      expect(shown).not.toEqual(SHOWN_TRUTH);
      expect(await verified(path)).toBe("no");
      await runProgram("cat", [join(path, "b")]);
      const message = `Withdrew /nix/store/${basename}, which was shown before it was checked: the listing of`;
      await until(
        () => mount.stderr.includes(message) && mount.stderr.includes(`wrong: ${reason}`),
      );
      for (let seen = shown; seen.join() !== SHOWN_TRUTH.join(); ) seen = await lookAgain(path);
      expect(await verified(path)).toBe("yes");
      expect(await outputOf("cat", join(path, "b"))).toBe("honest\n");
    };
    await Promise.all(lies.map(([storePath, reason]) => findOut(storePath, reason)));
    expect(await mount.stop()).toBe(0);
    expect(await store.readBack()).toHaveLength(LIES.length);
  });

  test("is not shown at all when its NAR would have another length, or it is no listing", async () => {
    const honest = await listingOf(TRUTH);
    const useless: readonly (readonly [string, string, string])[] = [
      ["malformed", "<html>not found</html>", "it is no JSON"],
      [
        "crude-offset",
        honest.replace('"size":1,', '"size":9,'),
        "a file that is said to lie elsewhere",
      ],
      ["crude-size", honest.replace('"size":1000,', '"size":2000,'), "the narinfo says"],
      ["endless", " ".repeat(17 * 1024 * 1024), "is larger than 16777216 bytes"],
    ];
    const paths = useless.map(([name, listing]) => add(name, listing));
    using server = await CacheServer.start(cache.folder);
    using mount = await CliMount.start(new TestStore(), ...options(server));
    for (const [index, { basename }] of paths.entries()) {
      const path = mount.path(basename);
      expect(await look(path)).toEqual(SHOWN_TRUTH);
      expect(await verified(path)).toBe("yes");
      expect(mount.stderr).toContain(useless[index]?.[2]);
    }
  });

  test("does not make a NAR right that is not: it is withdrawn, and nothing of it is kept", async () => {
    const { basename } = add("honest", await listingOf(TRUTH));
    using server = await CacheServer.start(cache.folder);
    server.ranges = false;
    const wrong = Buffer.from(nar);
    wrong[nar.indexOf("honest")] = 0x48;
    let isWrong = true;
    server.inject(/^nar\//, (response, request, found) => {
      server.serve(response, request, isWrong ? wrong : (found as Buffer));
    });
    const store = new TestStore();
    using mount = await CliMount.start(store, ...options(server));
    expect(await look(mount.path(basename))).toEqual(SHOWN_TRUTH);
    await runProgram("cat", [mount.path(basename, "b")]);
    await until(() => mount.stderr.includes(`Withdrew /nix/store/${basename}`));
    expect(mount.stderr).toContain("its NarHash is");
    let failure = "";
    while (!failure.includes("Input/output error")) {
      failure = (await runProgram("cat", [mount.path(basename, "b")])).stderr;
    }
    expect(await store.list()).toEqual([]);
    isWrong = false;
    // From now on it is shown when it has been checked.
    expect(await outputOf("cat", mount.path(basename, "b"))).toBe("honest\n");
    expect(await verified(mount.path(basename))).toBe("yes");
  });
});
