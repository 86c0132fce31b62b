import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { StableFile } from "../../../src/store/import/stable-file.js";
import { bytes } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

const folder = temporaryFolder();
const path = join(folder, "file");
const open = (at = path) => StableFile.openFile(bytes(at), bytes("shown/path"));
const message = (what: string) => `Cannot read "shown/path": ${what}`;
const changed = {
  code: "unavailable",
  message: message("it changed while it was being read"),
};

beforeEach(() => {
  rmSync(path, { force: true, recursive: true });
  writeFileSync(path, "0123456789");
});

describe("StableFile", () => {
  it("tells size and executable bit, and reads at any offset", () => {
    chmodSync(path, 0o744);
    const file = open();
    expect([file.size, file.executable]).toEqual([10, true]);
    const part = Buffer.alloc(4);
    file.read(part, 3);
    expect(part.toString()).toBe("3456");
    file.verifyUnchanged();
    file.close();
    chmodSync(path, 0o677);
    expect(open().executable).toBe(false);
  });

  it.each<[string, () => void]>([
    ["grew", () => appendFileSync(path, "x")],
    ["shrank", () => truncateSync(path, 3)],
    ["was written to", () => writeFileSync(path, "9876543210")],
    [
      "was written to and given its old time back",
      () => {
        writeFileSync(path, "9876543210");
        utimesSync(path, 1, 1);
      },
    ],
    ["got another mode", () => chmodSync(path, 0o755)],
  ])("finds that it %s", (_title, change) => {
    utimesSync(path, 1, 1);
    const file = open();
    file.verifyUnchanged();
    change();
    expect(() => file.verifyUnchanged()).toThrow(expect.objectContaining(changed));
    file.close();
  });

  it("finds that it ended early", () => {
    const file = open();
    truncateSync(path, 5);
    expect(() => file.read(Buffer.alloc(10), 0)).toThrow(expect.objectContaining(changed));
    file.close();
  });

  it("goes on with what was opened when the name is given to something else", () => {
    const file = open();
    rmSync(path);
    writeFileSync(path, "something else");
    const part = Buffer.alloc(10);
    file.read(part, 0);
    expect(part.toString()).toBe("0123456789");
    // Its link count went down, and with it went its time of change.
    expect(() => file.verifyUnchanged()).toThrow(expect.objectContaining(changed));
    file.close();
  });
});

describe("StableFile.openFile() refuses", () => {
  it("a symlink, rather than follow it", () => {
    symlinkSync(path, join(folder, "link"));
    expect(() => open(join(folder, "link"))).toThrow(expect.objectContaining(changed));
  });

  it("a fifo, rather than wait for its other end", () => {
    execFileSync("mkfifo", [join(folder, "fifo")]);
    expect(() => open(join(folder, "fifo"))).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: message("it is a fifo; a store holds files, folders and symlinks"),
      }),
    );
  });

  it("a folder, and leaves nothing open", () => {
    const before = readdirSync("/proc/self/fd").length;
    mkdirSync(join(folder, "folder"));
    expect(() => open(join(folder, "folder"))).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
  });

  it("what is not there", () => {
    expect(() => open(join(folder, "absent"))).toThrow(
      expect.objectContaining({ code: "not-found", message: message("no such file or folder") }),
    );
  });
});

describe("StableFile.openFolder()", () => {
  it("refuses a symlink to a folder", () => {
    symlinkSync(folder, join(folder, "folder-link"));
    const run = () =>
      StableFile.openFolder(bytes(join(folder, "folder-link")), bytes("shown/path"));
    expect(run).toThrow(expect.objectContaining(changed));
  });

  it("finds entries through itself, not through its name", () => {
    const opened = StableFile.openFolder(bytes(folder), bytes("shown/path"));
    const file = StableFile.openFile(opened.locate(bytes("file")), bytes("shown/path"));
    expect(file.size).toBe(10);
    file.close();
    opened.close();
  });
});
