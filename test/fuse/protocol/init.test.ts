import { describe, expect, test } from "vitest";
import { type Connection, FEATURE, has, negotiate } from "../../../src/fuse/protocol/init.js";
import { FuseReply } from "../../../src/fuse/protocol/reply.js";
import { pack, unpack } from "./support/layouts.js";
import { decodeReply, request } from "./support/wire.js";

interface Offer {
  readonly major?: number;
  readonly minor: number;
  readonly flags: number;
  readonly flags2?: number;
  readonly readAhead?: number;
}

/** What kernels offer, from fuse_send_init() of each; the last as one sent it. */
const OFFERS: Readonly<Record<string, Offer>> = {
  "5.4": { minor: 31, flags: 0x03ff_fffb },
  "5.10": { minor: 32, flags: 0x03ff_fffb },
  "6.1": { minor: 37, flags: 0x73ff_fffb, flags2: 0x1 },
  "6.8": { minor: 39, flags: 0x73ff_fffb, flags2: 0x1d },
  "6.18": { minor: 45, flags: 0x73ff_fffb, flags2: 0x5fd },
};

const INIT_EXTENSION = 2 ** 30;
/** async read · big writes · auto invalidate · readdirplus, auto · no open · parallel
 * directory operations · max pages · cached symlinks · no opendir */
const ALL_SINCE_5_4 = 0b1_1100_0110_0111_0000_0010_0001;

function init(offer: Offer, passthrough = false) {
  const { major = 7, minor, flags, flags2 = 0, readAhead = 131_072 } = offer;
  const whole = pack("fuse_init_in", { major, minor, max_readahead: readAhead, flags, flags2 });
  // Before 7.36 there was nothing behind the flags.
  const body = minor < 36 ? whole.subarray(0, 16) : whole;
  const asked = request({ opcode: 26, nodeId: 0, unique: 2n, body });
  const reply = new FuseReply(4096);
  reply.bytes.fill(0xa5);
  reply.clear();
  const connection: Connection = negotiate(asked, reply, { passthrough });
  reply.finish(asked);
  const answer = decodeReply(reply.bytes.subarray(0, reply.length));
  return { connection, body: answer.body, out: unpack("fuse_init_out", answer.body) };
}

describe("negotiate()", () => {
  test.each(Object.entries(OFFERS))("agrees with Linux %s on what both know", (_, offer) => {
    const { connection, body, out } = init(offer);
    const extended = offer.minor >= 36;
    expect(body.length).toBe(64);
    expect(out).toEqual({
      major: 7n,
      minor: BigInt(offer.minor),
      max_readahead: 131_072n,
      flags: BigInt(ALL_SINCE_5_4 + (extended ? INIT_EXTENSION : 0)),
      max_background: 64n,
      congestion_threshold: 48n,
      max_write: 4096n,
      time_gran: 1n,
      max_pages: 256n,
      map_alignment: 0n,
      flags2: 0n,
      max_stack_depth: 0n,
    });
    expect(body.subarray(40).every((byte) => byte === 0)).toBe(true);
    expect(connection.minor).toBe(offer.minor);
    expect(connection.readBytesMax).toBe(1024 * 1024);
    for (const feature of ["noOpen", "noOpendir", "readdirPlus", "cacheSymlinks"] as const) {
      expect(has(connection.features, FEATURE[feature])).toBe(true);
    }
  });

  test.each(Object.entries(OFFERS))(
    "asks Linux %s for passthrough only where it has it",
    (version, offer) => {
      const { connection, out } = init(offer, true);
      // Of these, only 6.18 has it: it came with 6.9.
      const offered = version === "6.18";
      expect(has(connection.features, FEATURE.passthrough)).toBe(offered);
      expect(out["flags2"]).toBe(offered ? 32n : 0n);
      expect(out["max_stack_depth"]).toBe(offered ? 2n : 0n);
    },
  );

  test("answers nothing that was not offered, whichever bit is missing", () => {
    const offer = OFFERS["6.18"] as Offer;
    for (let bit = 0; bit < 32; bit++) {
      const flags = (offer.flags & ~(1 << bit)) >>> 0;
      const { connection, out } = init({ ...offer, flags }, true);
      expect(Number(out["flags"]) & ~flags, `bit ${bit}`).toBe(0);
      expect(connection.features & (1n << BigInt(bit))).toBe(0n);
    }
    const none = init({ minor: 31, flags: 0 }, true);
    expect(none.connection.features).toBe(0n);
    expect([none.out["flags"], none.out["flags2"]]).toEqual([0n, 0n]);
  });

  test("never claims what it does not do: locks, writeback, exports, asynchronous direct reads", () => {
    const { out } = init({ minor: 45, flags: 0xffff_ffff, flags2: 0xffff_ffff }, true);
    expect(out["flags"]).toBe(BigInt(ALL_SINCE_5_4 + INIT_EXTENSION));
    expect(out["flags2"]).toBe(32n);
  });

  test("does not look at the second flags without the bit that announces them", () => {
    const { connection, out } = init({ minor: 45, flags: 0x33ff_fffb, flags2: 0x5fd }, true);
    expect(has(connection.features, FEATURE.passthrough)).toBe(false);
    expect([out["flags2"], out["max_stack_depth"]]).toEqual([0n, 0n]);
  });

  test("takes requests of 32 pages from a kernel that knows no larger ones", () => {
    const { connection, out } = init({ minor: 31, flags: 0x03bf_fffb });
    expect(connection.readBytesMax).toBe(128 * 1024);
    expect(out["max_pages"]).toBe(32n);
  });

  test("answers a newer kernel with the newest version it knows", () => {
    const { connection, out } = init({ minor: 99, flags: 0x73ff_fffb, flags2: 0x5fd });
    expect([connection.minor, out["minor"]]).toEqual([45, 45n]);
  });

  test("reads no further ahead than one request holds, nor than the kernel offers", () => {
    expect(init({ minor: 45, flags: 0, readAhead: 2 ** 30 }).out["max_readahead"]).toBe(2n ** 20n);
    expect(init({ minor: 45, flags: 0, readAhead: 4096 }).out["max_readahead"]).toBe(4096n);
  });

  test.each([
    { minor: 30, flags: 0 },
    { minor: 0, flags: 0 },
    { major: 6, minor: 99, flags: 0 },
    { major: 8, minor: 31, flags: 0 },
  ])("refuses FUSE $major.$minor and says what is needed", (offer) => {
    expect(() => init(offer)).toThrow(
      expect.objectContaining({
        code: "unsupported",
        message: expect.stringContaining("Linux 5.4 or newer"),
      }),
    );
  });
});
