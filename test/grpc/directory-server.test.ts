import { describe, expect, it } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { B3Digest } from "../../src/castore/digest.js";
import type { Directory } from "../../src/castore/directory.js";
import { decodeDirectory, directoryFrom } from "../../src/castore/directory-codec.js";
import { FAMILIES } from "../../src/grpc/definitions.js";
import { type Fields, serializeDirectory } from "../protos/messages.js";
import { bytes } from "../support/bytes.js";
import { EMPTY_DIGEST } from "../support/empty-digest.js";
import { DIRECTORY } from "../vectors/directories.js";
import { callsOf, digestIn, only } from "./support/messages.js";
import { memoryServices, serve } from "./support/serve.js";

const { empty, withKeep, b, c, complicated, complicatedDoubled, d, dDoubled, wrongSize } =
  DIRECTORY;
const digest = Buffer.alloc(32, 1);

function file(name: string | Uint8Array, more: Fields = {}): Fields {
  return { name: Buffer.from(name), digest, size: "1", ...more };
}

function messagesOf(...directories: Directory[]): Uint8Array[] {
  return directories.map((directory) => directory.bytes);
}

describe.each(FAMILIES)("%s DirectoryService", async (family) => {
  const fresh = async () => {
    const { client, services } = await serve();
    return { ...callsOf(family, client), services };
  };
  const { getDirectory } = await fresh();

  it("refuses a Get that does not say what", async () => {
    expect(await getDirectory(undefined)).toMatchObject({
      status: "INVALID_ARGUMENT",
      details: "by_what needs to be specified",
    });
    expect(await getDirectory(undefined, true)).toMatchObject({ status: "INVALID_ARGUMENT" });
  });

  it.each([0, 31, 33])("refuses a digest of %d bytes", async (length) => {
    const answer = await getDirectory(new Uint8Array(length));
    expect(answer.status).toBe("INVALID_ARGUMENT");
    expect(answer.details).toContain("nvalid digest length");
  });

  it("does not find what was never stored", async () => {
    expect(await getDirectory(withKeep.digest.bytes)).toMatchObject({
      status: "NOT_FOUND",
      messages: [],
      details: expect.stringContaining(withKeep.digest.toString()),
    });
  });

  it("answers a recursive Get of an absent root with an empty stream", async () => {
    expect(await getDirectory(withKeep.digest.bytes, true)).toMatchObject({
      status: "OK",
      messages: [],
    });
  });

  it.each([
    ["one", [empty], [empty]],
    ["parent and child", [empty, b], [b, empty]],
    ["a child under two names", [empty, c], [c, empty]],
    ["a child sent twice", [empty, empty, c], [c, empty]],
    ["the documented size", [withKeep, complicated], [complicated, withKeep]],
    ["the doubled size", [withKeep, complicatedDoubled], [complicatedDoubled, withKeep]],
    ["two depths", [empty, b, d], [d, empty, b]],
    ["two depths, doubled", [empty, b, dDoubled], [dDoubled, empty, b]],
  ])("takes a closure and gives it back: %s", async (_title, sent, expected) => {
    const { putDirectories, getDirectory } = await fresh();
    const root = sent.at(-1) as Directory;
    const stored = await putDirectories(messagesOf(...sent));
    expect(stored.status).toBe("OK");
    expect(digestIn(stored)).toEqual(Buffer.from(root.digest.bytes));
    expect(await getDirectory(root.digest.bytes)).toMatchObject({
      status: "OK",
      messages: [Buffer.from(root.bytes)],
    });
    const { messages } = await getDirectory(root.digest.bytes, true);
    expect(messages).toEqual(messagesOf(...expected).map((each) => Buffer.from(each)));
  });

  it.each<[string, Uint8Array[], string]>([
    ["an empty stream", [], "no directory was sent"],
    ["a parent alone", messagesOf(b), '"a" refers to'],
    ["a parent before its child", messagesOf(b, empty), "was not sent before it"],
    ["two roots", messagesOf(withKeep, empty, b), "does not hang below the root"],
    ["a wrong size", messagesOf(empty, wrongSize), "states size 42"],
    ["what is no message", [Buffer.from([0xff])], "Malformed"],
    [
      "an empty name",
      [serializeDirectory({ symlinks: [{ name: bytes(""), target: bytes("t") }] })],
      "it is empty",
    ],
    ["a name with a slash", [serializeDirectory({ files: [file("a/b")] })], '"a/b"'],
    ["the name .", [serializeDirectory({ files: [file(".")] })], '"."'],
    ["a name with NUL", [serializeDirectory({ files: [file("a\0b")] })], "NUL"],
    ["the name ..", [serializeDirectory({ files: [file("..")] })], '".."'],
    ["a name of 256 bytes", [serializeDirectory({ files: [file("n".repeat(256))] })], "256 bytes"],
    [
      "unsorted names",
      [serializeDirectory({ files: [file("b"), file("a")] })],
      'Wrong sorting: "a"',
    ],
    ["a name twice", [serializeDirectory({ files: [file("a"), file("a")] })], 'name "a"'],
    [
      "a name in two lists",
      [
        serializeDirectory({
          files: [file("a")],
          symlinks: [{ name: bytes("a"), target: digest }],
        }),
      ],
      'name "a"',
    ],
    [
      "a short digest",
      [serializeDirectory({ files: [file("a", { digest: bytes("xy") })] })],
      "Invalid digest length: 2 bytes",
    ],
    [
      "an empty target",
      [serializeDirectory({ symlinks: [{ name: bytes("a"), target: bytes("") }] })],
      "symlink target",
    ],
    [
      "a target with NUL",
      [serializeDirectory({ symlinks: [{ name: bytes("a"), target: bytes("t\0") }] })],
      "NUL",
    ],
    [
      "a target of 4096 bytes",
      [serializeDirectory({ symlinks: [{ name: bytes("a"), target: bytes("t".repeat(4096)) }] })],
      "4096 bytes",
    ],
    [
      "a directory with a short digest",
      [serializeDirectory({ directories: [file("a", { digest: bytes("xy") })] })],
      "Invalid digest length: 2 bytes",
    ],
    [
      "sizes that do not fit 64 bits",
      [serializeDirectory({ directories: [file("a", { size: "18446744073709551615" })] })],
      "exceeds 64 bits",
    ],
  ])("refuses %s, and says why", async (_title, messages, why) => {
    const { putDirectories, services } = await fresh();
    const answer = await putDirectories(
      [...messagesOf(withKeep), ...messages].slice(messages.length === 0 ? 1 : 0),
    );
    expect(answer.status).toBe("INVALID_ARGUMENT");
    expect(answer.details).toContain(why);
    expect(await services.directories.get(withKeep.digest)).toBeUndefined();
    expect(await services.directories.get(EMPTY_DIGEST)).toBeUndefined();
  });

  it("does not count what is in the store but not in the upload", async () => {
    const { putDirectories } = await fresh();
    await putDirectories(messagesOf(empty));
    expect(await putDirectories(messagesOf(b))).toMatchObject({ status: "INVALID_ARGUMENT" });
  });

  it("stores what was sent in the wrong form under the digest of the right one", async () => {
    const { putDirectories } = await fresh();
    const explicitZero = Buffer.from([...withKeep.bytes]);
    const odd = Buffer.concat([explicitZero, Buffer.from([0x78, 0])]);
    expect(digestIn(await putDirectories([odd]))).toEqual(Buffer.from(withKeep.digest.bytes));
  });

  it("takes and gives a directory of more than 4 MiB", async () => {
    const { putDirectories, getDirectory } = await fresh();
    const large = directoryFrom(
      Array.from({ length: 70_000 }, (_, index) => ({
        name: bytes(`file-${String(index).padStart(20, "0")}`),
        node: {
          type: "file" as const,
          digest: B3Digest.from(digest),
          size: BigInt(index),
          executable: false,
        },
      })),
    );
    expect(large.bytes.length).toBeGreaterThan(4 * 1024 * 1024);
    expect((await putDirectories(messagesOf(large))).status).toBe("OK");
    const found = only((await getDirectory(large.digest.bytes)).messages);
    expect(decodeDirectory(found).digest.hex).toBe(large.digest.hex);
  });
});

describe("DirectoryService over a backend", () => {
  it("with a hole answers DATA_LOSS, after what it has", async () => {
    const { client, services } = await serve();
    await services.directories.put(complicated);
    const answer = await callsOf("tvix", client).getDirectory(complicated.digest.bytes, true);
    expect(answer.status).toBe("DATA_LOSS");
    expect(answer.details).toContain(withKeep.digest.toString());
  });

  it("that fails passes its code on", async () => {
    const services = memoryServices();
    const fail = async (): Promise<never> => {
      throw new StoreError("unavailable", "disk is full");
    };
    const directories = {
      get: fail,
      put: fail,
      getRecursive: (id: B3Digest) => services.directories.getRecursive(id),
      startPut: () => ({ put: fail, close: fail, [Symbol.asyncDispose]: async () => {} }),
    };
    const calls = callsOf("snix", (await serve({ services: { ...services, directories } })).client);
    const expected = { status: "UNAVAILABLE", details: "disk is full" };
    expect(await calls.getDirectory(empty.digest.bytes)).toMatchObject(expected);
    expect(await calls.putDirectories(messagesOf(empty))).toMatchObject(expected);
  });
});
