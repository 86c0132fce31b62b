import { beforeAll, describe, expect, test } from "vitest";
import { FuseReply } from "../../../src/fuse/protocol/reply.js";
import { FuseRequest } from "../../../src/fuse/protocol/request.js";
import { bytes, noise } from "../../support/bytes.js";
import { randomFrom } from "../../support/random.js";
import { pack } from "../protocol/support/layouts.js";
import { decodeDirents, decodeReply, encodeRequest, nul } from "../protocol/support/wire.js";
import { CONNECTION, Conversation, connectionWith, OPCODE } from "./support/conversation.js";
import { ProjectedStore } from "./support/projected-store.js";

/** `TVIX_TEST_REQUESTS=1000000 TVIX_TEST_SEED=… npx vitest run dispatch-mutated` looks further. */
const REQUESTS = Number(process.env["TVIX_TEST_REQUESTS"] ?? 20_000);
const SEED = Number(process.env["TVIX_TEST_SEED"] ?? Date.now() % 2 ** 32);

const SILENT: readonly number[] = [
  OPCODE.forget,
  OPCODE.batchForget,
  OPCODE.interrupt,
  OPCODE.destroy,
];
const LISTINGS: readonly number[] = [OPCODE.readdir, OPCODE.readdirplus];

const NUMBERS = [0n, 1n, 2n, 3n, 255n, 4095n, 4096n, 65_536n, 300_000n, 2n ** 20n + 1n].concat(
  [31n, 32n, 43n, 44n, 52n, 53n, 62n, 63n, 64n].flatMap((bit) => [
    2n ** bit - 1n,
    2n ** bit,
    2n ** bit + 1n,
  ]),
);

let store: ProjectedStore;
/** Valid requests of every kind, about everything there is and some that is not. */
const valid: Buffer[] = [];

beforeAll(async () => {
  store = await ProjectedStore.open();
  const small = await store.file(bytes("small"));
  const many = Array.from(
    { length: 500 },
    (_, n) => [`${n}`.padEnd(1 + (n % 250)), small] as const,
  );
  store.roots.set(
    "tree",
    await store.folder([
      ["small", small],
      ["large", await store.file(noise(300_000))],
      ["link", store.symlink(bytes("small"))],
      ["far", store.symlink(noise(4095).map((byte) => byte | 1))],
      ["many", await store.folder(many)],
      ["\xff\xfe", await store.folder([])],
    ]),
  );
  store.roots.set("file", small);
  store.roots.set("hole", { ...small, size: 6n } as typeof small);

  const kernel = new Conversation(store.projection);
  const names = ["tree", "file", "hole", "tree/small", "tree/large", "tree/link", "tree/far"];
  const inodes = [...names, "tree/many", "tree/\xff\xfe"].map((path) =>
    path.split("/").reduce(inodeIn(kernel), 1n),
  );
  for (const nodeId of [1n, ...inodes, 2n ** 50n]) {
    for (const opcode of Object.values(OPCODE)) {
      for (const body of bodiesOf(opcode)) valid.push(encodeRequest({ opcode, nodeId, body }));
    }
  }
});

function inodeIn(kernel: Conversation) {
  return (parent: bigint, name: string) =>
    kernel.lookup(parent, Buffer.from(name, "latin1"))["nodeid"] as bigint;
}

function bodiesOf(opcode: number): Buffer[] {
  const xattr = (size: number) => pack("fuse_getxattr_in", { size });
  switch (opcode) {
    case OPCODE.lookup:
      return ["tree", "small", "none", "many", "0 "].map(nul);
    case OPCODE.getattr:
      return [pack("fuse_getattr_in", {})];
    case OPCODE.read:
      return [4096, 2 ** 20].map((size) => pack("fuse_read_in", { size }));
    case OPCODE.readdir:
    case OPCODE.readdirplus:
      return [0, 2, 5].map((offset) => pack("fuse_read_in", { offset, size: 4096 }));
    case OPCODE.getxattr:
      return [0, 255].map((size) =>
        Buffer.concat([xattr(size), nul("user.tvix.castore.blob.digest")]),
      );
    case OPCODE.listxattr:
      return [xattr(0), xattr(255)];
    case OPCODE.interrupt:
    case OPCODE.forget:
      return [Buffer.alloc(8, 1)];
    case OPCODE.readlink:
    case OPCODE.statfs:
    case OPCODE.destroy:
      return [Buffer.alloc(0)];
    default:
      return [Buffer.alloc(16), Buffer.alloc(64, 0xff)];
  }
}

class Mutator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** `request` after one to three mutations; mostly still with the right length in its header. */
  mutate(request: Buffer): Buffer {
    let bytes: Buffer = Buffer.from(request);
    for (let count = 1 + this.below(3); count > 0; count--) bytes = this.#once(bytes);
    if (bytes.length >= 4 && this.below(10) > 0) bytes.writeUInt32LE(bytes.length, 0);
    return bytes;
  }

  #once(bytes: Buffer): Buffer {
    switch (this.below(7)) {
      case 0:
        return bytes.subarray(0, this.below(bytes.length + 1));
      case 1:
        return Buffer.concat([bytes, noise(this.below(400), this.below(2 ** 32))]);
      case 2:
        return this.#write32(bytes, 4, this.pick([this.below(64), this.below(2 ** 32), 4096]));
      case 3:
        return this.#write64(bytes, this.pick([8, 16, 16, 16]), this.pick(NUMBERS));
      case 4:
        // Offsets, sizes, handles and flags all lie on multiples of four in the body.
        return this.#write64(bytes, 40 + 4 * this.below(10), this.pick(NUMBERS));
      case 5:
        return this.#write32(
          bytes,
          40 + 4 * this.below(10),
          Number(this.pick(NUMBERS) % 2n ** 32n),
        );
      default: {
        for (let count = 1 + this.below(8); count > 0 && bytes.length > 0; count--) {
          const at = this.below(bytes.length);
          bytes[at] = (bytes[at] as number) ^ (1 << this.below(8));
        }
        return bytes;
      }
    }
  }

  #write32(bytes: Buffer, offset: number, value: number): Buffer {
    if (offset + 4 <= bytes.length) bytes.writeUInt32LE(value, offset);
    return bytes;
  }

  #write64(bytes: Buffer, offset: number, value: bigint): Buffer {
    if (offset + 8 <= bytes.length) bytes.writeBigUInt64LE(BigInt.asUintN(64, value), offset);
    return bytes;
  }
}

/** Feeds one request as the device loop does, on memory still dirty from the one before. */
function feed(memory: Buffer, bytes: Buffer, kernel: Conversation, reply: FuseReply): string {
  bytes.copy(memory);
  const request = new FuseRequest(memory);
  if (!request.take(bytes.length)) return "dropped";
  const { opcode, unique, bodyLength } = request;
  const outcome = kernel.dispatcher.handle(request, reply);
  if (typeof outcome !== "string") throw new Error(`A local store wants ${outcome.want}`);
  if (outcome === "silence") {
    if (SILENT.includes(opcode)) return outcome;
    throw new Error(`No reply to request ${opcode}`);
  }
  if (reply.length > reply.bytes.length) throw new Error("A reply longer than its buffer");
  const { error, body, unique: answered } = decodeReply(reply.bytes.subarray(0, reply.length));
  if (answered !== unique) throw new Error(`Answered ${answered} instead of ${unique}`);
  if (error !== 0) return "error";
  if (opcode === OPCODE.read || LISTINGS.includes(opcode)) {
    const size = bodyLength >= 20 ? bytes.readUInt32LE(56) : 0;
    if (body.length > size) throw new Error(`${body.length} bytes into a buffer of ${size}`);
  }
  if (LISTINGS.includes(opcode)) decodeDirents(body, opcode === OPCODE.readdirplus);
  return "answered";
}

describe("Mutated requests", () => {
  test.each([
    ["that need not ask to open", CONNECTION],
    ["that opens and reads little", connectionWith(0n, 65_536)],
  ])(`are answered, refused or dropped on a connection %s`, (_, connection) => {
    console.log(`${REQUESTS / 2} mutated requests, seed ${SEED}`);
    const mutator = new Mutator(SEED);
    const kernel = new Conversation(store.projection, connection);
    const memory = Buffer.alloc(64 * 1024);
    const reply = new FuseReply(connection.readBytesMax);
    const outcomes: Record<string, number> = {};
    for (let index = 0; index < REQUESTS / 2; index++) {
      const bytes = mutator.mutate(mutator.pick(valid));
      try {
        const outcome = feed(memory, bytes, kernel, reply);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      } catch (cause) {
        throw new Error(`Request ${index} of seed ${SEED}: ${bytes.toString("hex")}`, { cause });
      }
    }
    // All ways were taken, or the mutations have missed the point.
    for (const way of ["answered", "dropped", "error", "silence"]) {
      expect([way, outcomes[way]]).toEqual([way, expect.any(Number)]);
    }
    expect(outcomes["answered"]).toBeGreaterThan(REQUESTS / 20);
    // And the file system is none the worse for it.
    const inode = "tree/small".split("/").reduce(inodeIn(kernel), 1n);
    expect(kernel.read(inode, 0, 100).body.toString()).toBe("small");
  });
});
