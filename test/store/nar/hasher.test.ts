import { describe, expect, it } from "vitest";
import { NarHasher } from "../../../src/store/nar/hasher.js";
import { NarWriter } from "../../../src/store/nar/writer.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import { file, type Tree, writeTreeAsNar } from "../support/tree.js";

function hashOf(tree: Tree): { sha256: string; narSize: bigint } {
  const hasher = new NarHasher();
  const writer = new NarWriter((bytes) => hasher.update(bytes));
  writeTreeAsNar(tree, writer);
  writer.finish();
  const { narSha256, narSize } = hasher.finish();
  return { sha256: Buffer.from(narSha256).toString("hex"), narSize };
}

describe("NarHasher", () => {
  it.each(NAR_FIXTURES)("finds the published hash of $title", ({ tree, length, sha256 }) => {
    expect(hashOf(tree)).toEqual({ sha256, narSize: BigInt(length) });
  });

  it("tells an executable file from another", () => {
    expect(hashOf(file("\x01", true))).toEqual({
      sha256: "fa0de8dccc3589bed965eee20dd776b232f90fee5f004a58e11898c8d371c7f4",
      narSize: 152n,
    });
  });
});
