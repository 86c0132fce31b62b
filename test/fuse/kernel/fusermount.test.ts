import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mountWithHelper } from "../../../src/fuse/kernel/fusermount.js";
import { until } from "../support/fake-mount.js";

// Stand-ins for the helper; device-mount.kernel.test.ts has the real one.
const SEND = `
import array, os, socket, sys
if sys.argv[1:] != ["-o", "ro,fsname=x", "--", "/mnt/point, 1"]: sys.exit("wrong arguments")
with socket.socket(fileno=int(os.environ["_FUSE_COMMFD"])) as s, open("/dev/zero") as f:
    s.sendmsg([b"\\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno()]))])
`;

let folder: string;
let path: string | undefined;
let open: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tvix-store-helper-"));
  path = process.env["PATH"];
  open = openDescriptors();
});
afterEach(async () => {
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true });
  // Pipes to programs are closed a moment after their end.
  await until(() => openDescriptors() <= open);
});

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function helper(name: string, script: string): void {
  writeFileSync(join(folder, name), script);
  chmodSync(join(folder, name), 0o755);
  process.env["PATH"] = `${folder}${delimiter}${path}`;
}

/** A helper that does what it should, whatever PATH is. */
function sender(name: string): void {
  writeFileSync(join(folder, "send.py"), SEND);
  helper(name, `#!/bin/sh\nPATH='${path}' exec python3 '${folder}/send.py' "$@"\n`);
}

function mount(): Promise<number> {
  return mountWithHelper("/mnt/point, 1", ["ro", "fsname=x"]);
}

test("mountWithHelper() receives the device, and for this process alone", async () => {
  sender("fusermount3");
  const device = await mount();
  expect(fstatSync(device).rdev).toBe(statSync("/dev/zero").rdev);
  const flags = /^flags:\s*([0-7]+)$/m.exec(
    readFileSync(`/proc/self/fdinfo/${device}`, "utf8"),
  )?.[1];
  expect(Number.parseInt(flags ?? "", 8) & 0o2000000).not.toBe(0);
  closeSync(device);
});

test("mountWithHelper() takes the helper of libfuse 2 where that of 3 is missing", async () => {
  sender("fusermount");
  process.env["PATH"] = folder;
  closeSync(await mount());
});

test("mountWithHelper() says what to install where there is none", async () => {
  process.env["PATH"] = folder;
  await expect(mount()).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("Install fuse3"),
  });
});

test("mountWithHelper() fails with the helper's own words", async () => {
  helper("fusermount3", "#!/bin/sh\necho fusermount3: no >&2; exit 1\n");
  await expect(mount()).rejects.toMatchObject({
    code: "unavailable",
    message: "Cannot mount at /mnt/point, 1: fusermount3: no",
  });
});

test("mountWithHelper() does not wait for a device that a helper has not sent", async () => {
  helper("fusermount3", "#!/bin/sh\nexit 0\n");
  await expect(mount()).rejects.toThrow("no device was sent");
});

test("mountWithHelper() gives up on a helper that does not end", async () => {
  helper("fusermount3", "#!/bin/sh\nexec sleep 60\n");
  await expect(mount()).rejects.toThrow("fusermount3 does not end");
});
