import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineSuite } from "./support/engine-suite.js";
import {
  FakeMount,
  kernelTestsObstacle,
  newMountPoint,
  python,
  run,
} from "./support/fake-mount.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

engineSuite("fuse-native");

describe.skipIf(kernelTestsObstacle !== undefined)("The limits of a fuse-native mount", () => {
  let mount: FakeMount;
  beforeAll(async () => {
    mount = await FakeMount.start(newMountPoint());
  });
  afterAll(() => mount?.discard());

  test("refuses extended attributes and survives short buffers", async () => {
    const script = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
path = sys.argv[1].encode()
for size in (0, 1, 5, 200):
    buffer = ctypes.create_string_buffer(256)
    for call in (lambda: libc.listxattr(path, buffer, size),
                 lambda: libc.getxattr(path, b"user.tvix.castore.blob.digest", buffer, size)):
        result = call()
        print(result, errno.errorcode.get(ctypes.get_errno()) if result < 0 else "")
`;
    const { stdout } = await python(script, mount.path("hello"));
    const lines = new Set(stdout.trim().split("\n"));
    expect(lines).toEqual(new Set(["-1 ENOTSUP"]));
    expect((await run("cat", mount.path("hello"))).stdout).toBe("hello\n");
  });

  test("leaves out names that are not UTF-8, warns once, and never takes one for another", async () => {
    const script = `
import os, sys
folder = os.fsencode(sys.argv[1])
print(sorted(os.listdir(folder)))
for name in (b"\\xff", b"\\xfe", b"\\xef\\xbf\\xbd", b"\\xc3\\x28"):
    try: print(open(os.path.join(folder, name)).read())
    except OSError as e: print(e.errno)
try: os.readlink(os.path.join(folder, b"bad-link"))
except OSError as e: print(e.strerror)
`;
    const { stdout } = await python(script, mount.path("bytes"));
    await python(script, mount.path("bytes"));
    expect(stdout.split("\n")).toEqual([
      "[b'bad-link', b'gr\\xc3\\xbcn']",
      ...["2", "2", "2", "2"],
      "Invalid or incomplete multibyte or wide character",
      "",
    ]);
    expect(mount.output.match(/Left out of the listing/g)?.length).toBe(1);
    expect(mount.output).toContain(
      'Left out of the listing of \\"/bytes\\": 3 names, \\"\\\\xff\\" first',
    );
  });
});

describe.skipIf(kernelTestsObstacle !== undefined)(
  "A mount point the engine cannot pass on",
  () => {
    test("is refused when its path is too long for the binding", async () => {
      const folder = mkdtempSync(join(tmpdir(), "tvix-store-long-"));
      try {
        const mount = FakeMount.spawn(
          join(folder, ...Array.from({ length: 6 }, () => "m".repeat(200))),
        );
        expect(await mount.exited()).toBe(1);
        expect(mount.output).toContain("at most 1023 are possible");
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  },
);
