import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { outputOf, python, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

/** Tries everything that changes a file system; prints one line `operation: errno` for each. */
const MUTATIONS = `
import errno, os, sys
root, top = sys.argv[1:]
f, d, l = top + "/file", top + "/folder", top + "/link"
new = lambda folder: folder + "/new"
operations = {
    "open for writing": lambda: os.open(f, os.O_WRONLY),
    "open for reading and writing": lambda: os.open(f, os.O_RDWR),
    "open for appending": lambda: os.open(f, os.O_WRONLY | os.O_APPEND),
    "open and truncate": lambda: os.open(f, os.O_RDONLY | os.O_TRUNC),
    "create": lambda: os.open(new(d), os.O_WRONLY | os.O_CREAT, 0o644),
    "create an unnamed file": lambda: os.open(d, os.O_TMPFILE | os.O_RDWR),
    "truncate": lambda: os.truncate(f, 0),
    "unlink": lambda: os.unlink(f),
    "unlink a link": lambda: os.unlink(l),
    "mkdir": lambda: os.mkdir(new(d)),
    "rmdir": lambda: os.rmdir(d),
    "rename": lambda: os.rename(f, new(d)),
    "rename over": lambda: os.replace(f, l),
    "chmod": lambda: os.chmod(f, 0o777),
    "chown": lambda: os.chown(f, 1, 1),
    "lchown": lambda: os.lchown(l, 1, 1),
    "utimes": lambda: os.utime(f),
    "symlink": lambda: os.symlink("x", new(d)),
    "link": lambda: os.link(f, new(d)),
    "mkfifo": lambda: os.mkfifo(new(d)),
    "setxattr": lambda: os.setxattr(f, "user.x", b"1"),
    "removexattr": lambda: os.removexattr(f, "user.x"),
    "mkdir in the root": lambda: os.mkdir(new(root)),
    "create in the root": lambda: os.open(new(root), os.O_WRONLY | os.O_CREAT),
    "rename a store path": lambda: os.rename(top, new(root)),
    "chmod the root": lambda: os.chmod(root, 0o777),
}
for name, run in operations.items():
    try:
        run()
        print(name + ": done")
    except OSError as e:
        print(name + ": " + errno.errorcode[e.errno])
`;

/** Looks up each of the arguments; prints the error number's name, or "found". */
const LOOKUPS = `
import errno, os, sys
for path in sys.argv[1:]:
    try:
        os.lstat(path)
        print("found")
    except OSError as e:
        print(errno.errorcode[e.errno])
`;

describe.skipIf(kernelTestsObstacle !== undefined).each(["kernel", "fuse-native"])(
  "A store mounted with --engine=%s",
  (engine) => {
    const store = new TestStore();
    let storePath: string;
    let mount: CliMount;

    beforeAll(async () => {
      const tree = join(temporaryFolder(), "tree");
      mkdirSync(join(tree, "folder"), { recursive: true });
      writeFileSync(join(tree, "file"), "content\n");
      chmodSync(join(tree, "file"), 0o755);
      symlinkSync("file", join(tree, "link"));
      storePath = await store.import(tree);
      mount = await CliMount.start(store, `--engine=${engine}`);
    });
    afterAll(() => mount?.discard());

    test("refuses every change with EROFS", async () => {
      const lines = (await python(MUTATIONS, mount.mountPoint, mount.path(storePath)))
        .trimEnd()
        .split("\n");
      expect(lines).toHaveLength(26);
      expect(lines.filter((line) => !line.endsWith(": EROFS"))).toEqual([]);
      const names = await outputOf("find", mount.mountPoint, "-printf", "%P %m %s\n");
      expect(names).toContain("/file 555 8\n");
      expect(names.trimEnd().split("\n")).toHaveLength(5);
    });

    test("knows no names but those of the store", async () => {
      const hash = "00000000000000000000000000000000";
      const names = [
        `${mount.mountPoint}/hello`,
        `${mount.mountPoint}/.hidden`,
        `${mount.mountPoint}/${hash}`,
        `${mount.mountPoint}/${hash}-absent`,
        `${mount.mountPoint}/${hash}-not valid`,
        `${mount.path(storePath)}-other-name`,
        mount.path(storePath).replace(/-tree$/, ""),
        mount.path(storePath, "absent"),
        mount.path(storePath, "folder", "absent"),
        mount.path(storePath, "FILE"),
      ];
      const answers = (await python(LOOKUPS, ...names)).trimEnd().split("\n");
      expect(answers).toEqual(names.map(() => "ENOENT"));
      // Asked again, from what the kernel remembers.
      expect((await python(LOOKUPS, ...names)).trimEnd().split("\n")).toEqual(answers);
      expect(await python(LOOKUPS, mount.path(storePath, "file"))).toBe("found\n");
    });

    test("knows nothing below a file, and no name longer than 255 bytes", async () => {
      const paths = [mount.path(storePath, "file", "x"), mount.path(storePath, "x".repeat(256))];
      expect(await python(LOOKUPS, ...paths)).toMatch(/^ENOTDIR\n(ENAMETOOLONG|ENOENT)\n$/);
    });

    test("does not list its root with --list-root=no, and still finds what is in it", async () => {
      using hidden = await CliMount.start(store, `--engine=${engine}`, "--list-root=no");
      const listing = await runProgram("ls", [hidden.mountPoint]);
      expect(listing.status).not.toBe(0);
      expect(listing.stderr).toContain("Operation not permitted");
      expect(await outputOf("cat", hidden.path(storePath, "file"))).toBe("content\n");
      expect(await hidden.stop()).toBe(0);
    });
  },
);
