import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { outputOf, python } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { temporaryFolder } from "../support/temp.js";
import { addWideFolder, entryName } from "./support/wide-folder.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

const WIDE = 100_000;

/** readdir(3) and its friends, which Python does not offer, and getdents64(2) with any buffer. */
const DIRENT = `
import ctypes, os, random, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.opendir.argtypes = [ctypes.c_char_p]
for f in (libc.readdir, libc.closedir, libc.telldir): f.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
libc.telldir.restype = ctypes.c_long
libc.syscall.restype = ctypes.c_long

def entry(address):
    "The name, and what telldir gives after it."
    inode, offset, length = struct.unpack("<QqH", ctypes.string_at(address, 18))
    return ctypes.string_at(address + 19), offset

def read(stream):
    address = libc.readdir(stream)
    return entry(address)[0] if address else None

def getdents(descriptor, size):
    "One batch of (name, cookie of the place after it)."
    buffer = ctypes.create_string_buffer(size)
    count = libc.syscall(217, descriptor, buffer, size)
    if count < 0: raise OSError(ctypes.get_errno(), "getdents64")
    batch, at = [], 0
    while at < count:
        name, offset = entry(ctypes.addressof(buffer) + at)
        batch.append((name, offset))
        at += struct.unpack_from("<H", buffer, at + 16)[0]
    return batch

def batches(path, size):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while batch := getdents(descriptor, size): yield from batch
    finally: os.close(descriptor)
`;

describe.skipIf(kernelTestsObstacle !== undefined)("A folder with 100,000 entries", () => {
  const store = new TestStore();
  let basename: string;

  beforeAll(async () => {
    basename = await addWideFolder(store.folder, WIDE);
  });

  async function mounted<T>(use: (mount: CliMount, folder: string) => Promise<T>): Promise<T> {
    using mount = await CliMount.start(store, "--engine=kernel");
    const result = await use(mount, mount.path(basename, "wide"));
    expect(await mount.stop()).toBe(0);
    return result;
  }

  test("is read on at any entry, from whatever place, while others read it", async () => {
    const script = `${DIRENT}
path, cookies = sys.argv[1:]
random.seed(int(sys.argv[0] == "-c"))
names = [b"entry-%06d" % n for n in range(${WIDE})]
if os.path.exists(cookies):
    # A mount that nobody has listed yet: the kernel has to ask for every place anew.
    places = [int(line) for line in open(cookies)]
else:
    whole = list(batches(path, 1 << 15))
    assert [name for name, _ in whole] == [b".", b".."] + names
    places = [offset for _, offset in whole]
    assert len(set(places)) == len(places)
    open(cookies, "w").writelines(f"{p}\\n" for p in places)
names = [b".", b".."] + names
descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
for index in [0, 1, 2, ${WIDE}, ${WIDE + 1}] + random.sample(range(${WIDE}), 60):
    os.lseek(descriptor, places[index], os.SEEK_SET)
    found = [name for name, _ in getdents(descriptor, random.choice((512, 4096, 65536)))]
    assert found == names[index + 1:index + 1 + len(found)], (index, found[:3])
    assert found or index == ${WIDE + 1}, index
print("cold")
stream = libc.opendir(path.encode())
tell = {}
while True:
    place = libc.telldir(stream)
    name = read(stream)
    if name is None: break
    tell[name] = place
assert list(tell) == names
for index in random.sample(range(len(names)), 200):
    libc.seekdir(stream, tell[names[index]])
    following = [read(stream) for _ in range(3)]
    assert following == (names + [None] * 3)[index:index + 3], (index, following)
print("warm")
`;
    const cookies = join(temporaryFolder(), "cookies");
    const listing = async (_: CliMount, folder: string) => {
      const others = [
        outputOf("sh", "-c", 'ls -f "$0" | wc -l', folder),
        outputOf("sh", "-c", 'find "$0" -type f | wc -l', folder),
        outputOf("cat", join(folder, entryName(77_777)), join(folder, entryName(5))),
      ];
      expect(await python(script, folder, cookies)).toBe("cold\nwarm\n");
      expect(await Promise.all(others)).toEqual([`${WIDE + 2}\n`, `${WIDE}\n`, "xx"]);
    };
    await mounted(listing);
    // Once more with the cookies of the mount before: they only depend on the folder.
    await mounted(listing);
  });
});

describe.skipIf(kernelTestsObstacle !== undefined)("The root of a mount", () => {
  const store = new TestStore();
  const folder = temporaryFolder();
  let mount: CliMount;

  beforeAll(async () => {
    for (let index = 0; index < 200; index++) {
      writeFileSync(join(folder, `file-${index}`), `${index}\n`);
    }
    await importFiles(0, 50);
    mount = await CliMount.start(store, "--engine=kernel");
  });
  afterAll(() => mount?.discard());

  function importFiles(from: number, to: number): Promise<string> {
    const files = Array.from({ length: to - from }, (_, n) => join(folder, `file-${from + n}`));
    return store.output("import", ...files);
  }

  // The kernel keeps a listing of the root for a second. Of two readers at the same time one may fill it just
  // before an import and the other read past it just after: the new entry then comes, goes and comes again.
  test("neither doubles an entry nor loses an old one while imports go on, and shows the new ones", async () => {
    const script = `${DIRENT}
import time
path, count = sys.argv[1], int(sys.argv[2])
old, rounds, complete, sizes = set(), 0, 0, (280, 512, 2048, 32768)
while complete < 20:
    size = sizes[rounds % len(sizes)]
    names = [name for name, _ in batches(path, size)]
    assert len(names) == len(set(names)), sorted(names)
    assert {b".", b".."} <= set(names)
    found = set(names) - {b".", b".."}
    if rounds == 0: old = {name for name in found if int(name.rsplit(b"-", 1)[1]) < 50}
    assert len(old) == 50, len(old)
    assert old <= found, old - found
    for name in found: os.lstat(os.path.join(path.encode(), name))
    complete = complete + 1 if len(found) == count else 0
    rounds += 1
    time.sleep(0.02)
print(len(found))
`;
    const readers = [1, 2].map(() => python(script, mount.mountPoint, "200"));
    for (let from = 50; from < 200; from += 50) await importFiles(from, from + 50);
    expect(await Promise.all(readers)).toEqual(["200\n", "200\n"]);
  });
});

describe.skipIf(kernelTestsObstacle !== undefined)("Inode numbers", () => {
  const store = new TestStore();

  beforeAll(async () => {
    const folder = temporaryFolder();
    for (let root = 0; root < 6; root++) {
      for (let inner = 0; inner < 12; inner++) {
        mkdirSync(join(folder, `root-${root}`, `folder-${inner}`), { recursive: true });
        for (let file = 0; file < 12; file++) {
          writeFileSync(join(folder, `root-${root}`, `folder-${inner}`, `${file}`), `${root}`);
        }
      }
      await store.import(join(folder, `root-${root}`));
    }
  });

  test.each([1, 2, 4])("are one's own and the same from all of %i threads", async (threads) => {
    using mount = await CliMount.start(store, "--engine=kernel", `--threads=${threads}`);
    const walks: string[] = [];
    for (let round = 0; round < 3; round++) {
      const script = 'find "$0" -printf "%i %P\\n" | LC_ALL=C sort';
      walks.push(
        ...(await Promise.all(
          Array.from({ length: 4 }, () => outputOf("sh", "-c", script, mount.mountPoint)),
        )),
      );
      // Everything is asked for anew, and answered by whichever thread comes first.
      await outputOf("sh", "-c", "echo 2 > /proc/sys/vm/drop_caches || true");
    }
    for (const walk of walks) expect(walk).toBe(walks[0]);
    const inodes = (walks[0] ?? "")
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[0]);
    expect(inodes.length).toBe(1 + 6 * (1 + 12 * 13));
    expect(new Set(inodes).size).toBe(inodes.length);
    expect(await mount.stop()).toBe(0);
  });
});
