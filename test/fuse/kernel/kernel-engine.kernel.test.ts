import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineSuite } from "../support/engine-suite.js";
import {
  FakeMount,
  kernelTestsObstacle,
  newMountPoint,
  python,
  run,
  SERVED_BY,
  until,
} from "../support/fake-mount.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

for (const [who, earlyLimits] of Object.entries(SERVED_BY)) {
  engineSuite("kernel", { earlyLimits }, ` served by its ${who}`);
}

describe.skipIf(kernelTestsObstacle !== undefined)("What only a kernel mount does", () => {
  let mount: FakeMount;
  beforeAll(async () => {
    mount = await FakeMount.start(newMountPoint(), { engine: "kernel" });
  });
  afterAll(() => mount?.discard());

  test("carries names and targets that are not UTF-8, each for itself", async () => {
    const script = `
import os, sys
folder = os.fsencode(sys.argv[1])
print(sorted(os.listdir(folder)))
for name in (b"\\xff", b"\\xfe", b"\\xef\\xbf\\xbd", b"\\xc3\\x28"):
    try: print(open(os.path.join(folder, name)).read(), end="")
    except OSError as e: print(e.errno)
print(os.readlink(os.path.join(folder, b"bad-link")))
`;
    const { stdout, stderr } = await python(script, mount.path("bytes"));
    expect([stdout.split("\n"), stderr]).toEqual([
      [
        "[b'bad-link', b'gr\\xc3\\xbcn', b'\\xef\\xbf\\xbd', b'\\xfe', b'\\xff']",
        ...["ff", "fe", "replacement", "2", "b'a\\xff'", ""],
      ],
      "",
    ]);
    expect(mount.output).not.toContain("Left out");
  });

  test("shows extended attributes, also to buffers that are too small", async () => {
    const script = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
path = sys.argv[1].encode()
inode = str(os.stat(path).st_ino).encode()
buffer = ctypes.create_string_buffer(256)
def show(result):
    print(errno.errorcode[ctypes.get_errno()] if result < 0 else result, end=" ")
for name, whole in ((None, b"user.test.inode\\0"), (b"user.test.inode", inode)):
    for size in (0, 1, len(whole) - 1, len(whole), len(whole) + 1, 256):
        if name is None: show(libc.listxattr(path, buffer, size))
        else: show(libc.getxattr(path, name, buffer, size))
    assert buffer.raw[:len(whole)] == whole, buffer.raw
    print(len(whole))
show(libc.getxattr(path, b"user.absent", buffer, 256))
`;
    // A file whose number has two digits, so that there is something between 0 and all of it.
    const { stdout, stderr } = await python(script, mount.path("many", "entry-50"));
    const [list, get, absent] = stdout.split("\n") as [string, string, string];
    expect(stderr).toBe("");
    for (const line of [list, get]) {
      const sizes = line.split(" ");
      const whole = sizes.pop();
      expect(sizes).toEqual([whole, "ERANGE", "ERANGE", whole, whole, whole]);
    }
    expect(absent).toBe("ENODATA ");
  });

  test("gives inodes the numbers of the file system", async () => {
    const { stdout } = await run("stat", "-c", "%i", mount.mountPoint);
    expect(stdout).toBe("1\n");
  });

  test.each([1, 4])("is served by %i threads", async (threads) => {
    const options = { engine: "kernel", threads, earlyLimits: SERVED_BY.threads } as const;
    const other = await FakeMount.start(newMountPoint(), options);
    try {
      await expectReads(other, "many", 0, 16);
      other.process.kill("SIGINT");
      expect(await other.exited()).toBe(0);
    } finally {
      other.discard();
    }
  });

  test("goes over from the main thread to others while it is read from", async () => {
    for (const limits of [
      { requests: 20, ms: 3_600_000 },
      { requests: 1_000_000, ms: 300 },
    ]) {
      const options = { engine: "kernel", earlyLimits: limits } as const;
      const other = await FakeMount.start(newMountPoint(), options);
      try {
        const threads = threadsOf(other);
        for (let first = 0; first < 400; first += 16) await expectReads(other, "many", first, 16);
        await until(() => threadsOf(other) > threads);
        await expectReads(other, "many", 400, 16);
        other.process.kill("SIGINT");
        expect(await other.exited()).toBe(0);
      } finally {
        other.discard();
      }
    }
  });
});

async function expectReads(mount: FakeMount, folder: string, first: number, count: number) {
  const numbers = Array.from({ length: count }, (_, n) => first + n);
  const reads = numbers.map((n) => run("cat", mount.path(folder, `entry-${n}`)));
  const contents = (await Promise.all(reads)).map(({ stdout }) => stdout);
  expect(contents).toEqual(numbers.map((n) => `${n}\n`));
}

function threadsOf({ process: { pid } }: FakeMount): number {
  return readdirSync(`/proc/${pid}/task`).length;
}
