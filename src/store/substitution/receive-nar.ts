/**
 * From the file of a NAR in a binary cache to content in the store, checked on the way.
 */
import { equalBytes } from "../../base/bytes.js";
import { COMPRESSIONS, isCompression } from "../../base/compression/compression.js";
import { decompress } from "../../base/compression/decompress.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { TreeSink } from "../../castore/tree-upload.js";
import { type IngestedTree, ingestNar, type NarIngestOptions } from "../nar/ingest.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { formatHash } from "../nix-hash.js";
import { NarFile } from "./nar-file.js";

export interface ReceiveOptions extends Omit<NarIngestOptions, "narSizeMax"> {
  /** Told how many more bytes of the file have come. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Unpacks the compressed NAR that `source` gives into `targets`. When it resolves, all of it is there
 * and is what `narinfo` says: `NarHash`, `NarSize`, and `FileHash` and `FileSize` where they are given. When it fails,
 * `source` has been let go of, and what was stored is referred to by nothing.
 *
 * @throws {StoreError} `corrupt`, saying which field disagrees or what is malformed; what `source` and the
 *   targets throw; `aborted` when the signal fires.
 */
export async function receiveNar(
  narinfo: Narinfo,
  source: AsyncIterable<Uint8Array>,
  targets: TreeSink,
  { onBytes = () => {}, ...options }: ReceiveOptions = {},
): Promise<IngestedTree> {
  const { narSize, narSha256, compression } = narinfo;
  if (narSize > BigInt(Number.MAX_SAFE_INTEGER)) throw wrong(narinfo, `its NarSize is ${narSize}`);
  if (!isCompression(compression)) {
    const known = COMPRESSIONS.join(", ");
    throw wrong(narinfo, `unknown compression ${JSON.stringify(compression)}; known are ${known}`);
  }
  const narSizeMax = Number(narSize);
  const file = new NarFile(narinfo, source, onBytes);
  let tree: IngestedTree;
  try {
    const nar = decompress(compression, file, { bytesMax: narSizeMax, transient: true });
    tree = await ingestNar(nar, targets, { ...options, narSizeMax });
  } catch (error) {
    throw explained(narinfo, file, error);
  }
  if (tree.narSize !== narSize) {
    throw wrong(narinfo, `its NarSize is ${tree.narSize}, the narinfo says ${narSize}`);
  }
  if (equalBytes(tree.narSha256, narSha256)) return tree;
  throw wrong(
    narinfo,
    `its NarHash is ${hashText(tree.narSha256)}, the narinfo says ${hashText(narSha256)}`,
  );
}

/** What is malformed is the cache's fault; that the disk is full is not. */
function explained(narinfo: Narinfo, file: NarFile, error: unknown): unknown {
  const cause = file.failure ?? error;
  if (!isStoreError(cause)) return cause;
  const isTheirs = ["invalid-argument", "limit-exceeded", "unsupported", "corrupt"].includes(
    cause.code,
  );
  return isTheirs ? wrong(narinfo, cause.message, cause) : cause;
}

function wrong({ storePath, url }: Narinfo, why: string, cause?: unknown): StoreError {
  const message = `Cannot use the NAR of ${storePath} (${url}): ${why}`;
  return new StoreError("corrupt", message, { cause });
}

function hashText(digest: Uint8Array): string {
  return formatHash({ algorithm: "sha256", digest });
}
