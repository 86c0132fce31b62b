import { closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FileFailure, makeFiles, type NewFile } from "../../../src/store/nar/restore-files.js";
import { bytes } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

function inFolder(make: (path: string, file: (name: string, size: number) => NewFile) => void) {
  const path = temporaryFolder();
  const folder = openSync(path, "r");
  try {
    make(path, (name, size) => ({ folder, name: bytes(name), executable: name === "x", size }));
  } finally {
    closeSync(folder);
  }
}

it("makeFiles() gives each its part of the contents", () => {
  inFolder((path, file) => {
    makeFiles([file("a", 2), file("empty", 0), file("x", 3)], bytes("aaxxx"));
    expect(readFileSync(join(path, "a"), "utf8")).toBe("aa");
    expect(readFileSync(join(path, "empty"), "utf8")).toBe("");
    expect(readFileSync(join(path, "x"), "utf8")).toBe("xxx");
    expect(statSync(join(path, "x")).mode & 0o111).toBe(0o111);
    expect(statSync(join(path, "a")).mode & 0o111).toBe(0);
  });
});

it("makeFiles() tells which it failed on and why, and makes no more", () => {
  inFolder((path, file) => {
    writeFileSync(join(path, "b"), "there already");
    const make = () => makeFiles([file("a", 1), file("b", 1), file("c", 1)], bytes("abc"));
    expect(make).toThrow(FileFailure);
    expect(readdirSync(path)).toEqual(["a", "b"]);
    expect(readFileSync(join(path, "b"), "utf8")).toBe("there already");
    const again = () => makeFiles([file("c", 1), file("b", 1)], bytes("cb"));
    expect(again).toThrow(
      expect.objectContaining({ index: 1, cause: expect.objectContaining({ code: "EEXIST" }) }),
    );
  });
});
