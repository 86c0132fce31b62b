import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DirectoryEntry } from "../../src/castore/directory.js";
import { decodeDirectory, directoryFrom } from "../../src/castore/directory-codec.js";
import type { Node } from "../../src/castore/node.js";
import { decodeNode, encodeNode } from "../../src/castore/node-codec.js";
import { formatContentAddress } from "../../src/store/content-address.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { decodePathInfo, encodePathInfo } from "../../src/store/path-info-codec.js";
import { nodeArbitrary, pathInfoArbitrary } from "../store/support/path-info.js";
import {
  type Fields,
  messageType,
  serializeDirectory,
  serializeNode,
  serializePathInfo,
} from "./messages.js";

const MESSAGES = {
  Directory: messageType("tvix.castore.v1.Directory"),
  Node: messageType("tvix.castore.v1.Node"),
  PathInfo: messageType("tvix.store.v1.PathInfo"),
};

const CA_TYPES: Record<string, string> = {
  "fixed:r:sha256": "NAR_SHA256",
  "fixed:r:sha1": "NAR_SHA1",
  "fixed:r:sha512": "NAR_SHA512",
  "fixed:r:md5": "NAR_MD5",
  "text:sha256": "TEXT_SHA256",
  "fixed:sha1": "FLAT_SHA1",
  "fixed:md5": "FLAT_MD5",
  "fixed:sha256": "FLAT_SHA256",
  "fixed:sha512": "FLAT_SHA512",
};

function entryFields(name: Uint8Array, node: Node): Fields {
  if (node.type === "symlink") return { name, target: node.target };
  const { digest, size } = node;
  const common = { name, digest: digest.bytes, size: String(size) };
  return node.type === "file" ? { ...common, executable: node.executable } : common;
}

function nodeFields(name: Uint8Array, node: Node): Fields {
  return { [node.type]: entryFields(name, node) };
}

function directoryFields(entries: readonly DirectoryEntry[]): Fields {
  const sorted = entries.toSorted((a, b) => Buffer.compare(a.name, b.name));
  const list = (type: Node["type"]): Fields[] =>
    sorted
      .filter(({ node }) => node.type === type)
      .map(({ name, node }) => entryFields(name, node));
  return { directories: list("directory"), files: list("file"), symlinks: list("symlink") };
}

function pathInfoFields(pathInfo: PathInfo): Fields {
  const { storePath, node, references, deriver, ca } = pathInfo;
  return {
    node: nodeFields(Buffer.from(storePath.basename), node),
    references: references.map(({ hash }) => hash),
    narinfo: {
      nar_size: String(pathInfo.narSize),
      nar_sha256: pathInfo.narSha256,
      signatures: pathInfo.signatures,
      reference_names: references.map(({ basename }) => basename),
      ...(deriver && { deriver: { name: deriver.name, digest: deriver.hash } }),
      ...(ca && {
        ca: {
          type: CA_TYPES[formatContentAddress(ca).replace(/:[^:]*$/, "")],
          digest: ca.digest,
        },
      }),
    },
  };
}

/** `fields` without those that have their default value, as a canonical encoder writes them. */
function withoutDefaults(fields: Fields): Fields {
  const kept = Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
    const isDefault =
      (["size", "nar_size"].includes(name) && value === "0") ||
      (name === "executable" && value === false) ||
      (name === "type" && value === "NAR_SHA256") ||
      isEmpty(value);
    return isDefault ? [] : [[name, stripped(value)]];
  });
  return Object.fromEntries(kept);
}

function isEmpty(value: unknown): boolean {
  return (
    value === "" || ((Array.isArray(value) || value instanceof Uint8Array) && value.length === 0)
  );
}

function stripped(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(stripped);
  return typeof value === "object" && value !== null ? withoutDefaults(value as Fields) : value;
}

const nameArbitrary = fc
  .array(
    fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .map((list) => Buffer.from(list))
  .filter((name) => ![".", ".."].includes(name.toString("latin1")));

/** Sizes up to 64 bits would not add up to 64 bits. */
const entriesArbitrary = fc.uniqueArray(
  fc.record({
    name: nameArbitrary,
    node: nodeArbitrary.map((node) =>
      node.type === "directory" ? { ...node, size: node.size / 16n } : node,
    ),
  }),
  { maxLength: 8, selector: ({ name }) => name.toString("hex") },
);

describe("our codecs beside protobufjs", () => {
  it("agree on directories", () => {
    fc.assert(
      fc.property(entriesArbitrary, (entries) => {
        const ours = directoryFrom(entries);
        const fields = directoryFields(entries);
        expect(MESSAGES.Directory.deserialize(Buffer.from(ours.bytes))).toEqual(
          withoutDefaults(fields),
        );
        expect(Buffer.from(ours.bytes)).toEqual(serializeDirectory(withoutDefaults(fields)));
        // With default values written out the message is longer, and the directory the same.
        expect(decodeDirectory(serializeDirectory(fields)).digest.hex).toBe(ours.digest.hex);
      }),
    );
  });

  it("agree on nodes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), nodeArbitrary, (name, node) => {
        const ours = encodeNode(name, node);
        const fields = nodeFields(name, node);
        expect(MESSAGES.Node.deserialize(ours)).toEqual(withoutDefaults(fields));
        expect(ours).toEqual(serializeNode(withoutDefaults(fields)));
        const read = decodeNode(serializeNode(fields));
        expect(read && encodeNode(read.name, read.node)).toEqual(ours);
      }),
    );
  });

  it("agree on path infos", () => {
    fc.assert(
      fc.property(pathInfoArbitrary, (pathInfo) => {
        const ours = encodePathInfo(pathInfo);
        const fields = pathInfoFields(pathInfo);
        expect(MESSAGES.PathInfo.deserialize(ours)).toEqual(withoutDefaults(fields));
        expect(ours).toEqual(serializePathInfo(withoutDefaults(fields)));
        expect(encodePathInfo(decodePathInfo(serializePathInfo(fields)))).toEqual(ours);
      }),
    );
  });

  it.each([
    ["a file", "EiQSIFyngVrctITpoTbBHv5pwdUwF21Um10Y0DjrUoC0s0cMGAw", "file", "12"],
    ["a directory", "CiQSID-VGhWv1Yb7MSHvTRPVgugRzg5afyHASX_YdJDp4jVaGAQ", "directory", "4"],
    ["a symlink", "GhoSGC9uaXgvc3RvcmUvc29tZXdoZXJlZWxzZQ", "symlink", undefined],
  ])("agree on published bytes: %s", (_title, base64, type, size) => {
    const message = Buffer.from(base64, "base64url");
    const read = decodeNode(message);
    if (read === undefined) throw new Error("no node");
    expect(read.node.type).toBe(type);
    expect(encodeNode(read.name, read.node)).toEqual(message);
    const fields = MESSAGES.Node.deserialize(message) as Record<string, Fields>;
    expect(fields[type]?.["size"]).toBe(size);
  });
});
