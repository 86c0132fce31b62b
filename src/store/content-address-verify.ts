/**
 * Whether content has the content address it is stored under.
 */
import { createHash } from "node:crypto";
import { equalBytes } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import type { CallOptions } from "../castore/blob/service.js";
import { type ContentAddress, formatContentAddress } from "./content-address.js";
import { checkContentAddress } from "./content-address-check.js";
import { ModuloHasher } from "./nar/modulo-hasher.js";
import { type RenderServices, renderNar } from "./nar/render.js";
import type { PathInfo } from "./path-info.js";
import { HASH_TEXT_LENGTH, type StorePath } from "./store-path.js";

/**
 * Reads the content of `pathInfo` and checks that its content address follows from it, and the store path
 * from that. Passes when there is no content address.
 *
 * @throws {StoreError} `invalid-argument` when content address and path info contradict each other,
 *   `corrupt` when the content has another content address; as `renderNar` when it cannot be read.
 */
export async function verifyContentAddress(
  pathInfo: PathInfo,
  services: RenderServices,
  options: CallOptions = {},
): Promise<void> {
  const { ca, storePath } = pathInfo;
  if (ca === undefined) return;
  checkContentAddress(pathInfo);
  const digest =
    ca.method === "nar"
      ? await hashNar(pathInfo, ca, services, options)
      : await hashFile(pathInfo, ca, services, options);
  if (equalBytes(digest, ca.digest)) return;
  throw corrupt(
    storePath,
    ca,
    `its content makes it ${formatContentAddress({ ...ca, digest } as ContentAddress)}`,
  );
}

async function hashNar(
  { node, references, storePath }: PathInfo,
  { algorithm }: ContentAddress,
  services: RenderServices,
  options: CallOptions,
): Promise<Buffer> {
  const refersToItself = references.some((reference) => reference.equals(storePath));
  const self = Buffer.from(storePath.basename.slice(0, HASH_TEXT_LENGTH));
  const hash = refersToItself ? new ModuloHasher(algorithm, self) : createHash(algorithm);
  for await (const piece of renderNar(node, services, { ...options, transient: true })) {
    hash.update(piece);
  }
  return hash.digest();
}

/** The address covers the bytes alone, so that only a file whose other properties are given may have one. */
async function hashFile(
  { node, storePath }: PathInfo,
  ca: ContentAddress,
  { blobs }: RenderServices,
  options: CallOptions,
): Promise<Buffer> {
  if (node.type !== "file" || node.executable) {
    throw corrupt(storePath, ca, "only a file that is not executable can have it");
  }
  await using reader = await blobs.openRead(node.digest, options);
  if (reader === undefined) {
    throw new StoreError(
      "dangling-reference",
      `Blob ${node.digest} of ${storePath} is missing from the store`,
    );
  }
  const hash = createHash(ca.algorithm);
  for await (const piece of reader.stream(undefined, { transient: true })) hash.update(piece);
  return hash.digest();
}

function corrupt(storePath: StorePath, ca: ContentAddress, why: string): StoreError {
  return new StoreError(
    "corrupt",
    `${storePath} does not have its content address ${formatContentAddress(ca)}: ${why}`,
  );
}
