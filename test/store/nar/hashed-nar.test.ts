import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { HashedNar } from "../../../src/store/nar/hashed-nar.js";

const PIECE_BYTES = 512 * 1024;

/** Eight pieces of one byte each, in the two halves of `memory` in turn. */
async function* overwriting(memory: Buffer): AsyncGenerator<Buffer> {
  for (let index = 0; index < 8; index++) {
    const start = (index % 2) * PIECE_BYTES;
    yield memory.fill(index, start, start + PIECE_BYTES).subarray(start, start + PIECE_BYTES);
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

describe("HashedNar", () => {
  it("hashes what is read, and is done with each piece once the next has come", async () => {
    const nar = new HashedNar(overwriting(Buffer.alloc(2 * PIECE_BYTES)));
    const seen: number[] = [];
    for await (const piece of nar) seen.push(piece[0] as number);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const all = Buffer.concat(seen.map((byte) => Buffer.alloc(PIECE_BYTES, byte)));
    expect(nar.finish()).toEqual({
      narSha256: sha256(all),
      narSize: BigInt(all.length),
    });
  });

  it("is done with a piece when its reader has stopped there", async () => {
    const memory = Buffer.alloc(2 * PIECE_BYTES);
    const nar = new HashedNar(overwriting(memory));
    for await (const _piece of nar) break;
    memory.fill(9);
    expect(nar.finish().narSha256).toEqual(sha256(Buffer.alloc(PIECE_BYTES)));
  });
});
