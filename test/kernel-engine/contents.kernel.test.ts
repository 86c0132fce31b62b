import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { B3Digest } from "../../src/castore/digest.js";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { outputOf, python, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { sha256sums } from "../support/manifest.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

const LARGE = noise(5_000_001, 1);
const SMALL = noise(5000, 2);
const NOT_UTF8 = Buffer.from("a\xff\x80\xfez", "latin1");
const LONG = Buffer.concat([Buffer.alloc(254, 0x6e), Buffer.from([0xff])]);

const store = new TestStore();
const source = join(temporaryFolder(), "source");
async function has(program: string): Promise<boolean> {
  const { status } = await runProgram("sh", ["-c", `command -v ${program}`]);
  if (status !== 0) console.warn(`Not tested: there is no ${program} here`);
  return status === 0;
}

let path: string;

beforeAll(async () => {
  const inSource = (name: Uint8Array) => Buffer.concat([Buffer.from(`${source}/bytes/`), name]);
  mkdirSync(join(source, "bytes"), { recursive: true });
  writeFileSync(join(source, "large"), LARGE);
  writeFileSync(join(source, "small"), SMALL);
  writeFileSync(join(source, "empty"), "");
  symlinkSync("large", join(source, "link"));
  for (const name of [NOT_UTF8, LONG]) writeFileSync(inSource(name), name);
  copyFileSync("/bin/ls", join(source, "program"));
  chmodSync(join(source, "program"), 0o755);
  for (let n = 0; n < 64; n++) writeFileSync(join(source, `of-64-${n}`), noise(70_000 + n, n));
  path = await store.import(source);
});

const theMounts = describe.skipIf(kernelTestsObstacle !== undefined).each(["off", "on"]);

theMounts("The contents of a kernel mount, passthrough %s,", (passthrough) => {
  let mount: CliMount;
  let mounted: string;

  beforeAll(async () => {
    mount = await CliMount.start(store, "--engine=kernel", `--passthrough=${passthrough}`);
    mounted = mount.path(path);
  });
  afterAll(() => mount?.discard());

  test("have names that are not UTF-8 and names of 255 bytes, listed, found and read", async () => {
    const script = `
import os, sys
folder = os.fsencode(sys.argv[1])
names = sorted(os.listdir(folder))
for name in names:
    path = os.path.join(folder, name)
    assert os.stat(path).st_size == len(name)
    assert open(path, "rb").read() == name
    print(name.hex())
for absent in (names[0][:-1], names[0] + b"\\xff", names[0].replace(b"\\xff", b"\\xfe"), b"\\xff" * 255):
    assert not os.path.lexists(os.path.join(folder, absent)), absent
for long in (b"n" * 256, names[1] + b"x", b"n" * 1000):
    try: os.lstat(os.path.join(folder, long))
    except OSError as e: print(e.strerror)
`;
    const names = [NOT_UTF8, LONG].map((name) => name.toString("hex"));
    const tooLong = Array.from({ length: 3 }, () => "File name too long");
    expect((await python(script, join(mounted, "bytes"))).trimEnd().split("\n")).toEqual([
      ...names,
      ...tooLong,
    ]);
    const listed = await runProgram("ls", ["-1", "--show-control-chars", join(mounted, "bytes")], {
      env: { ...process.env, LC_ALL: "C" },
    });
    expect(listed.output).toEqual(
      Buffer.concat([NOT_UTF8, Buffer.from("\n"), LONG, Buffer.from("\n")]),
    );
  });

  test("carry their digests as extended attributes, and that they were checked, for files and folders", async () => {
    const script = `
import os, sys
for path in sys.argv[1:]:
    for name in os.listxattr(path, follow_symlinks=False):
        print(os.path.basename(path), name, os.getxattr(path, name).decode())
`;
    const paths = ["large", "small", "empty", "bytes", "link"].map((name) => join(mounted, name));
    const blob = (name: string, content: Uint8Array) => [
      `${name} user.tvix.castore.blob.digest ${B3Digest.of(content)}`,
      `${name} user.tvix.verified yes`,
    ];
    const lines = (await python(script, ...paths, mount.mountPoint)).trimEnd().split("\n");
    expect(lines).toEqual([
      ...blob("large", LARGE),
      ...blob("small", SMALL),
      ...blob("empty", Buffer.alloc(0)),
      expect.stringMatching(/^bytes user\.tvix\.castore\.directory\.digest blake3-/),
      "bytes user.tvix.verified yes",
    ]);
  });

  test("show their digests in getfattr -d", async ({ skip }) => {
    if (!(await has("getfattr"))) return skip("there is no getfattr here");
    const dump = await outputOf("getfattr", "--absolute-names", "-d", join(mounted, "large"));
    expect(dump).toContain(`user.tvix.castore.blob.digest="${B3Digest.of(LARGE)}"\n`);
    const recursive = await outputOf("getfattr", "--absolute-names", "-R", "-dhP", mounted);
    // All in there, what is in its folder and it itself; but not the link.
    const entries = readdirSync(source, { recursive: true }).length;
    expect(recursive.match(/^# file: /gm)?.length).toBe(entries + 1 - 1);
  });

  test("answer short xattr buffers with ERANGE, again and again", async () => {
    const script = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
path = os.fsencode(sys.argv[1])
names = os.listxattr(path)
name, length = names[0], sum(len(each) + 1 for each in names)
value = os.getxattr(path, name)
buffer = ctypes.create_string_buffer(4096)
for round in range(20):
    for size in range(1, len(value) + 3):
        result = libc.getxattr(path, name.encode(), buffer, size)
        error = ctypes.get_errno()
        assert (result, error) == (-1, errno.ERANGE) if size < len(value) else result == len(value), (size, result)
    for size in range(1, length + 3):
        result = libc.listxattr(path, buffer, size)
        assert result == (-1 if size < length else length), (size, result)
assert libc.getxattr(path, name.encode(), None, 0) == len(value)
print(len(value))
`;
    const digest = B3Digest.of(LARGE).toString();
    expect(await python(script, join(mounted, "large"))).toBe(`${digest.length}\n`);
  });

  test("answer statx, and do not claim to know when they were made", async () => {
    const script = `
import ctypes, os, stat, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, NOFOLLOW, BTIME, ALL = -100, 0x100, 0x800, 0xfff
for path in sys.argv[1:]:
    buffer = ctypes.create_string_buffer(256)
    for sync in (0, 0x2000, 0x4000):
        assert libc.statx(AT_FDCWD, os.fsencode(path), NOFOLLOW | sync, ALL, buffer) == 0
        mask, blksize, attributes, nlink, uid, gid, mode = struct.unpack_from("<IIQIIIH", buffer)
        inode, size, blocks = struct.unpack_from("<QQQ", buffer, 32)
        mtime, nsec = struct.unpack_from("<qI", buffer, 112)
        s = os.lstat(path)
        assert not mask & BTIME, hex(mask)
        assert mask & 0x7ff == 0x7ff, hex(mask)
        assert (inode, size, blocks, mode, nlink) == (s.st_ino, s.st_size, s.st_blocks, s.st_mode, s.st_nlink)
        assert (mtime, nsec, uid, gid, nlink) == (1, 0, 0, 0, 1)
    print(stat.filemode(mode), size)
`;
    const names = ["large", "program", "bytes", "link"].map((name) => join(mounted, name));
    const [large, program, bytes, link] = (await python(script, ...names)).split("\n");
    expect([large, link]).toEqual([`-r--r--r-- ${LARGE.length}`, "lrwxrwxrwx 5"]);
    expect(program).toMatch(/^-r-xr-xr-x /);
    expect(bytes).toMatch(/^dr-xr-xr-x /);
  });

  test("go through sendfile and splice", async () => {
    const script = `
import hashlib, os, socket, sys, threading
path = sys.argv[1]
def sum_of(send):
    ours, theirs = socket.socketpair()
    digest = hashlib.sha256()
    def drain():
        while part := theirs.recv(1 << 16): digest.update(part)
    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    with open(path, "rb", buffering=0) as f: send(f.fileno(), ours.fileno())
    ours.close()
    thread.join()
    return digest.hexdigest()
def sendfile(source, target):
    offset = 0
    while count := os.sendfile(target, source, offset, 1 << 20): offset += count
def splice(source, target):
    read, write = os.pipe()
    while count := os.splice(source, write, 1 << 16):
        while count: count -= os.splice(read, target, count)
print(sum_of(sendfile), sum_of(splice))
`;
    const sum = (await outputOf("sha256sum", join(source, "large"))).slice(0, 64);
    expect(await python(script, join(mounted, "large"))).toBe(`${sum} ${sum}\n`);
  });

  test("are read with O_DIRECT, at the end too", async () => {
    const script = `
import hashlib, mmap, os, sys
path, size = sys.argv[1], int(sys.argv[2])
f = os.open(path, os.O_RDONLY | os.O_DIRECT)
for length in (4096, 65536, 1 << 20, 4 << 20):
    digest, buffer, offset = hashlib.sha256(), mmap.mmap(-1, length), 0
    while count := os.preadv(f, [buffer], offset):
        digest.update(buffer[:count])
        offset += count
    assert offset == size, (length, offset)
    print(digest.hexdigest())
print(os.preadv(f, [mmap.mmap(-1, 4096)], 1 << 40))
`;
    const sum = (await outputOf("sha256sum", join(source, "large"))).slice(0, 64);
    expect(await python(script, join(mounted, "large"), `${LARGE.length}`)).toBe(
      `${`${sum}\n`.repeat(4)}0\n`,
    );
  });

  test("may be mapped privately and written to, which others do not see", async () => {
    const script = `
import hashlib, mmap, os, sys
path = sys.argv[1]
before = hashlib.sha256(open(path, "rb").read()).hexdigest()
f = os.open(path, os.O_RDONLY)
with mmap.mmap(f, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as m:
    for at in range(0, len(m), 4096): m[at] ^= 0xff
    assert hashlib.sha256(m).hexdigest() != before
    assert hashlib.sha256(open(path, "rb").read()).hexdigest() == before
try: mmap.mmap(f, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
except OSError as e: print(e.strerror)
with mmap.mmap(f, 0, mmap.MAP_SHARED, mmap.PROT_READ) as m:
    print(hashlib.sha256(m).hexdigest() == before)
`;
    const program = join(mounted, "program");
    expect(await python(script, program)).toBe("Permission denied\nTrue\n");
    expect(await outputOf(program, "-d", mounted)).toBe(`${mounted}\n`);
  });

  test("are right for 64 readers at once", async () => {
    const reads = Array.from({ length: 64 }, async (_, n) => {
      const files = [`of-64-${n}`, "large", `of-64-${(n * 7) % 64}`];
      if (n % 2 === 0) files.reverse();
      const sums = await outputOf("sh", "-c", 'cd "$0" && sha256sum "$@"', mounted, ...files);
      return sums.split("\n").slice(0, -1);
    });
    const expected = new Map(
      ["large", ...Array.from({ length: 64 }, (_, n) => `of-64-${n}`)].map((name) => {
        const sum = createHash("sha256")
          .update(readFileSync(join(source, name)))
          .digest("hex");
        return [name, `${sum}  ${name}`];
      }),
    );
    for (const line of (await Promise.all(reads)).flat()) {
      expect(line).toBe(expected.get(line.slice(66)));
    }
  });

  test("are walked by find and summed by sha256sum as their source is", async () => {
    const walk = (folder: string) =>
      outputOf(
        "sh",
        "-c",
        'cd "$0" && find . -printf "%P %y %s %l\\\\0" | LC_ALL=C sort -z',
        folder,
      );
    const withoutSizes = (text: string) => text.replaceAll(/^(\S*) d \d+ $/gm, "$1 d");
    const [found, wanted] = [await walk(mounted), await walk(source)].map((text) =>
      text.split("\0").map(withoutSizes),
    );
    expect(found).toEqual(wanted);
    expect(await sha256sums(mounted)).toBe(await sha256sums(source));
  });

  test("are copied by rsync, which then finds nothing to do", async ({ skip }) => {
    if (!(await has("rsync"))) return skip("there is no rsync here");
    const copy = join(temporaryFolder(), "copy");
    await outputOf("rsync", "-a", `${mounted}/`, `${copy}/`);
    const again = await outputOf("rsync", "-ani", "--checksum", `${mounted}/`, `${copy}/`);
    expect(again).toBe("");
    expect(await sha256sums(copy)).toBe(await sha256sums(source));
  });
});
