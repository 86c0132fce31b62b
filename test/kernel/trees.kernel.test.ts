import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { outputOf, python } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { makeGeneratedTree } from "../support/generated-tree.js";
import { expectSameTree, sha256sums } from "../support/manifest.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

/** Seconds on an idle machine. */
const TIMEOUT_MS = 300_000;

const folder = temporaryFolder();
const store = new TestStore();

const trees: Record<string, () => Promise<string>> = {
  "/etc": async () => "/etc",
  "/usr/bin": async () => realpathSync("/usr/bin"),
  "/usr/share/doc": async () => "/usr/share/doc",
  "our own node_modules": copyOfNodeModules,
};

/** A copy, for the original holds the records of test runs and so may change meanwhile. */
async function copyOfNodeModules(): Promise<string> {
  const copy = join(folder, "node_modules");
  const original = realpathSync(fileURLToPath(new URL("../../node_modules", import.meta.url)));
  await outputOf("cp", "-a", original, copy);
  return copy;
}

describe.skipIf(kernelTestsObstacle !== undefined)("A mounted tree equals its source", () => {
  let mount: CliMount;
  beforeAll(async () => {
    mount = await CliMount.start(store);
  });
  afterAll(() => mount?.discard());

  // Imported while the mount is there: each appears in it, see appearing.kernel.test.ts.
  test.each(Object.keys(trees))(
    "%s",
    async (title) => {
      const source = (await trees[title]?.()) ?? "";
      const path = await store.import(source);
      expect(await expectSameTree(mount.path(path), source)).toBeGreaterThan(10);
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(kernelTestsObstacle !== undefined).each(["kernel", "fuse-native"])(
  "A generated tree, mounted with --engine=%s,",
  (engine) => {
    const source = join(folder, `for ${engine}`);
    let mount: CliMount;
    let mounted: string;

    beforeAll(async () => {
      makeGeneratedTree(source, { bytes: engine === "kernel" });
      const path = await store.import(source, "--name", "generated");
      mount = await CliMount.start(store, `--engine=${engine}`);
      mounted = mount.path(path);
    });
    afterAll(() => mount?.discard());

    test(
      "equals its source",
      async () => {
        expect(await expectSameTree(mounted, source)).toBeGreaterThan(10_000);
      },
      TIMEOUT_MS,
    );

    test("has the same sums by sha256sum", async () => {
      expect(await sha256sums(mounted)).toBe(await sha256sums(source));
    });

    test.runIf(engine === "kernel")("is copied by cp and packed by tar", async () => {
      const copy = join(folder, `copy of ${engine}`);
      await outputOf("cp", "-a", mounted, copy);
      await expectSameTree(copy, source);
      const pack = 'tar -C "$0" -c . | tar -t | wc -l';
      const count = await outputOf("sh", "-c", pack, mounted);
      expect(count).toBe(await outputOf("sh", "-c", pack, source));
    });

    test("follows links inside, and leaves dangling ones alone", async () => {
      expect(await outputOf("cat", join(mounted, "links", "to-file"))).toBe("through a link\n");
      expect(await outputOf("ls", join(mounted, "links", "to-folder", ""))).toBe("file\n");
      const dangling = await outputOf(
        "sh",
        "-c",
        '! cat "$0" 2>&1',
        join(mounted, "links/dangling"),
      );
      expect(dangling).toContain("No such file or directory");
    });

    test("lists 10,000 entries, each once", async () => {
      const names = (await outputOf("ls", "-f", join(mounted, "many"))).trimEnd().split("\n");
      expect(new Set(names).size).toBe(names.length);
      expect(names).toHaveLength(10_002);
      const inodes = await outputOf("ls", "-1i", join(mounted, "many"));
      expect(
        new Set(
          inodes
            .trim()
            .split("\n")
            .map((line) => line.trim().split(" ")[0]),
        ).size,
      ).toBe(10_000);
    });
  },
);

describe.skipIf(kernelTestsObstacle !== undefined).each(["kernel", "fuse-native"])(
  "A program below a mount with --engine=%s",
  (engine) => {
    let mount: CliMount;
    let mounted: string;
    const data = noise(3_000_001, 5);

    beforeAll(async () => {
      const source = join(folder, `programs ${engine}`);
      mkdirSync(join(source, "bin"), { recursive: true });
      copyFileSync("/bin/ls", join(source, "bin", "ls"));
      copyFileSync(process.execPath, join(source, "bin", "node"));
      writeFileSync(join(source, "bin", "script"), "#!/bin/sh\necho ran $0\n", { mode: 0o755 });
      writeFileSync(join(source, "data"), data);
      const path = await store.import(source, "--name", "programs");
      mount = await CliMount.start(store, `--engine=${engine}`);
      mounted = mount.path(path);
    });
    afterAll(() => mount?.discard());

    test("runs, small and large ones", async () => {
      const names = await outputOf(join(mounted, "bin", "ls"), mounted);
      expect(names).toBe("bin\ndata\n");
      expect(await outputOf(join(mounted, "bin", "script"))).toBe(`ran ${mounted}/bin/script\n`);
      const version = await outputOf(join(mounted, "bin", "node"), "-p", "6 * 7");
      expect(version).toBe("42\n");
    });

    test("may map its files into memory", async () => {
      const script = `
import hashlib, mmap, sys
with open(sys.argv[1], "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
    print(len(m), hashlib.sha256(m).hexdigest(), m[-1], m[1_500_000], m[0])
with open(sys.argv[1], "rb") as f, mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE) as m:
    m[0] ^= 255
    print(m[0])
`;
      const sum = await outputOf("sha256sum", join(mounted, "data"));
      expect(await python(script, join(mounted, "data"))).toBe(
        `${data.length} ${sum.slice(0, 64)} ${data.at(-1)} ${data[1_500_000]} ${data[0]}\n${(data[0] as number) ^ 255}\n`,
      );
    });

    test("reads at any offset, also past the end", async () => {
      const script = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for offset, length in ((0, 1), (4095, 2), (131071, 131074), (2999999, 100), (3000001, 5), (1 << 40, 5)):
    print(os.pread(fd, length, offset).hex())
`;
      const expected = [
        [0, 1],
        [4095, 2],
        [131_071, 131_074],
        [2_999_999, 100],
        [3_000_001, 5],
        [2 ** 40, 5],
      ].map(([offset = 0, length = 0]) => data.subarray(offset, offset + length).toString("hex"));
      expect((await python(script, join(mounted, "data"))).split("\n")).toEqual([...expected, ""]);
    });
  },
);
