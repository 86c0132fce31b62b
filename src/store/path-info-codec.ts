/**
 * Path infos as bytes: the message is laid out in path-info-message.ts.
 *
 * Restrictions: the NARInfo and the Node are there, the Node named `<hash>-<name>`; `references` (20 bytes
 * each) and `reference_names` (basenames) say the same in the same order; everything `validatePathInfo`
 * asks for.
 */
import { decodeUtf8, equalBytes, quoteBytes, toHex } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import { WireWriter } from "../base/protobuf.js";
import { decodeNode, encodeNode } from "../castore/node-codec.js";
import type { ContentAddress } from "./content-address.js";
import { type PathInfo, validatePathInfo } from "./path-info.js";
import { type PathInfoMessage, readPathInfoMessage } from "./path-info-message.js";
import { StorePath, validateStorePathHash } from "./store-path.js";

/** What each value of the enum `NARInfo.CA.Hash` stands for. */
const CA_TYPES = [
  { method: "nar", algorithm: "sha256" },
  { method: "nar", algorithm: "sha1" },
  { method: "nar", algorithm: "sha512" },
  { method: "nar", algorithm: "md5" },
  { method: "text", algorithm: "sha256" },
  { method: "flat", algorithm: "sha1" },
  { method: "flat", algorithm: "md5" },
  { method: "flat", algorithm: "sha256" },
  { method: "flat", algorithm: "sha512" },
] as const satisfies readonly Omit<ContentAddress, "digest">[];

/** The canonical message. Checks nothing: see `validatePathInfo`. */
export function encodePathInfo(pathInfo: PathInfo): Buffer {
  const writer = new WireWriter(512);
  writer.bytes(1, encodeNode(Buffer.from(pathInfo.storePath.basename), pathInfo.node));
  for (const reference of pathInfo.references) writer.bytes(2, reference.hash, true);
  writer.bytes(3, encodeNarInfo(pathInfo), true);
  return writer.finish();
}

function encodeNarInfo(pathInfo: PathInfo): Buffer {
  const writer = new WireWriter(384);
  writer.uint(1, pathInfo.narSize);
  writer.bytes(2, pathInfo.narSha256);
  for (const { name, data } of pathInfo.signatures) {
    const signature = new WireWriter();
    signature.string(1, name);
    signature.bytes(2, data);
    writer.bytes(3, signature.finish(), true);
  }
  for (const reference of pathInfo.references) writer.string(4, reference.basename, true);
  if (pathInfo.deriver !== undefined) {
    const deriver = new WireWriter();
    deriver.string(1, pathInfo.deriver.name);
    deriver.bytes(2, pathInfo.deriver.hash);
    writer.bytes(5, deriver.finish(), true);
  }
  if (pathInfo.ca !== undefined) {
    const { method, algorithm, digest } = pathInfo.ca;
    const type = CA_TYPES.findIndex((ca) => ca.method === method && ca.algorithm === algorithm);
    const ca = new WireWriter();
    ca.uint(1, BigInt(type));
    ca.bytes(2, digest);
    writer.bytes(6, ca.finish(), true);
  }
  return writer.finish();
}

/**
 * Decodes and validates one path info. Unknown fields are dropped. Keeps `bytes`, which must not change
 * afterwards.
 *
 * @throws {StoreError} `invalid-argument`, naming the field at fault with its position and value.
 */
export function decodePathInfo(bytes: Uint8Array): PathInfo {
  let pathInfo: PathInfo;
  try {
    pathInfo = pathInfoFrom(readPathInfoMessage(bytes));
  } catch (error) {
    if (!isStoreError(error)) throw error;
    throw new StoreError(error.code, `Invalid path info: ${error.message}`);
  }
  validatePathInfo(pathInfo);
  return pathInfo;
}

function pathInfoFrom(message: PathInfoMessage): PathInfo {
  if (!message.hasNarInfo) throw invalid("it has no narinfo");
  const references = readReferences(message.references, message.referenceNames);
  const root = message.node === undefined ? undefined : decodeNode(message.node);
  if (root === undefined) throw invalid("it has no root node");
  const basename = decodeUtf8(root.name);
  if (basename === undefined) {
    throw invalid(`the root node's name ${quoteBytes(root.name)} is not text`);
  }
  return {
    storePath: StorePath.parse(basename),
    node: root.node,
    references,
    narSize: message.narSize,
    narSha256: message.narSha256,
    signatures: message.signatures,
    ...(message.deriver && { deriver: readDeriver(message.deriver) }),
    ...(message.ca && { ca: readContentAddress(message.ca) }),
  };
}

function readReferences(hashes: readonly Uint8Array[], names: readonly string[]): StorePath[] {
  for (const [index, hash] of hashes.entries()) {
    at(`reference ${index}`, () => validateStorePathHash(hash));
  }
  if (hashes.length !== names.length) {
    throw invalid(`it has ${hashes.length} references, but ${names.length} reference names`);
  }
  return names.map((name, index) => {
    const reference = at(`reference name ${index}`, () => StorePath.parse(name));
    const hash = hashes[index] as Uint8Array;
    if (!equalBytes(reference.hash, hash)) {
      throw invalid(
        `reference name ${index}, ${name}, has hash ${toHex(reference.hash)}, reference ${index} is ${toHex(hash)}`,
      );
    }
    return reference;
  });
}

function readDeriver({ name, digest }: { name: string; digest: Uint8Array }): StorePath {
  return at("deriver", () => StorePath.from(digest, name));
}

function readContentAddress({
  type,
  digest,
}: {
  type: bigint;
  digest: Uint8Array;
}): ContentAddress {
  const known = type < CA_TYPES.length ? CA_TYPES[Number(type)] : undefined;
  if (known === undefined) throw invalid(`content address type ${type} is not known`);
  return { ...known, digest };
}

/** Runs `read`; its error says what was being read. */
function at<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isStoreError(error)) throw error;
    throw new StoreError(error.code, `${what}: ${error.message}`);
  }
}

function invalid(message: string): StoreError {
  return new StoreError("invalid-argument", message);
}
