/**
 * What Nix writes to a binary cache: NARs first, then the narinfo of each.
 */
import { createHash } from "node:crypto";
import { equalBytes } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import { Slots } from "../base/slots.js";
import type { Node } from "../castore/node.js";
import { storeWholeTree } from "../castore/tree-upload.js";
import { checkContentAddress } from "../store/content-address-check.js";
import { verifyContentAddress } from "../store/content-address-verify.js";
import type { NarCalculator } from "../store/nar/calculation.js";
import { findNarRoot } from "../store/nar/find-root.js";
import { ingestNar } from "../store/nar/ingest.js";
import { pathInfoFromNarinfo } from "../store/narinfo/conversion.js";
import type { Narinfo } from "../store/narinfo/narinfo.js";
import { NARINFO_SIZE_MAX, parseNarinfo } from "../store/narinfo/parse.js";
import { encodeNixBase32 } from "../store/nixbase32.js";
import type { PathInfo } from "../store/path-info.js";
import { checkJson, noUploads } from "./cache-file-handlers.js";
import type { Exchange } from "./exchange.js";
import { decodeNar } from "./nar-decoder.js";
import { type NarFileName, parseNarFileName } from "./nar-url.js";
import { type Reply, textReply } from "./reply.js";
import { readBody } from "./request-body.js";
import type { Route } from "./routes.js";
import type { CacheServices } from "./services.js";
import type { UploadRecords } from "./upload-records.js";

/** Of a NAR, and of the file it comes in. */
const NAR_BYTES_MAX = 64 * 1024 ** 3;
const LISTING_BYTES_MAX = 64 * 1024 * 1024;
/** NARs that are unpacked at once, each with what it has in memory; more wait, unread. */
const INGESTS_MAX = 8;

type Put = NonNullable<Route["put"]>;

export interface UploadOptions {
  /** Its path infos sign what is put, if anything does. */
  readonly services: CacheServices;
  readonly calculator: NarCalculator;
  readonly uploads: UploadRecords | undefined;
}

export class UploadHandlers {
  readonly #options: UploadOptions;
  readonly #ingests = new Slots(INGESTS_MAX);

  constructor(options: UploadOptions) {
    this.#options = options;
  }

  nar(name: string): Put | undefined {
    const file = parseNarFileName(name);
    return file && { bytesMax: NAR_BYTES_MAX, handle: (exchange) => this.#putNar(file, exchange) };
  }

  narinfo(hash: string): Put {
    return {
      bytesMax: NARINFO_SIZE_MAX,
      handle: (exchange) => this.#putNarinfo(hash, exchange),
    };
  }

  /** Taken and dropped: a listing is made from the content when it is asked for, and cannot be wrong then. */
  listing(_hash: string): Put {
    return {
      bytesMax: LISTING_BYTES_MAX,
      handle: async ({ body }) => {
        checkJson(await readBody(body));
        return stored();
      },
    };
  }

  async #putNar(file: NarFileName, { body, signal }: Exchange): Promise<Reply> {
    const { services, uploads } = this.#options;
    const { nars } = services;
    if (nars === undefined || uploads === undefined) throw noUploads();
    using _place = await this.#ingests.take(signal);
    const received = new HashedBody(body);
    const { compression, content } = await decodeNar(received.pieces(), file.suffix, NAR_BYTES_MAX);
    const tree = await storeWholeTree(services, async (sink) => {
      const ingested = await ingestNar(content, sink, { narSizeMax: NAR_BYTES_MAX, signal });
      received.check(file);
      return ingested;
    });
    await Promise.all([
      nars.remember(tree.node, tree),
      uploads.putNarFile(file.fileSha256, { narSha256: tree.narSha256, compression }),
    ]);
    return stored();
  }

  async #putNarinfo(hash: string, { body, signal }: Exchange): Promise<Reply> {
    const { services } = this.#options;
    const narinfo = parseNarinfo(await readBody(body));
    const { storePath } = narinfo;
    if (!storePath.basename.startsWith(`${hash}-`)) {
      throw invalid(`The narinfo under ${hash} is of ${storePath}`);
    }
    const known = await services.pathInfos.get(storePath.hash, { signal });
    const node = isOf(narinfo, known) ? known.node : await this.#narOf(narinfo, signal);
    const pathInfo = inKnownOrder(pathInfoFromNarinfo(narinfo, node), known);
    await this.#checkContentAddress(pathInfo, signal);
    await services.pathInfos.put(pathInfo, { signal });
    return stored();
  }

  /** What the NAR of `narinfo` became. */
  async #narOf({ storePath, narSha256, narSize }: Narinfo, signal: AbortSignal): Promise<Node> {
    const { services, calculator } = this.#options;
    const hash = `sha256:${encodeNixBase32(narSha256)}`;
    const record =
      services.nars && (await findNarRoot(narSha256, services.nars, calculator, { signal }));
    if (record === undefined) {
      throw invalid(`The NAR of ${storePath}, ${hash}, is not here: it has to be uploaded first`);
    }
    if (record.narSize === narSize) return record.node;
    throw invalid(
      `The narinfo of ${storePath} gives NarSize ${narSize}, but ${hash} has ${record.narSize} bytes`,
    );
  }

  async #checkContentAddress(pathInfo: PathInfo, signal: AbortSignal): Promise<void> {
    checkContentAddress(pathInfo);
    const { ca, references, storePath } = pathInfo;
    const isNarHash =
      ca?.method === "nar" &&
      ca.algorithm === "sha256" &&
      !references.some((reference) => reference.equals(storePath));
    // Then the hash of the NAR, which was calculated, is all there is to it.
    if (ca === undefined || isNarHash) return;
    try {
      await verifyContentAddress(pathInfo, this.#options.services, { signal });
    } catch (error) {
      // Nothing is damaged: the uploader said something that is not so.
      throw isStoreError(error, "corrupt") ? invalid(error.message) : error;
    }
  }
}

/** Hashes a body as it passes. */
class HashedBody {
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #hash = createHash("sha256");
  #isWhole = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#body = body;
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#body) {
      this.#hash.update(piece);
      yield piece;
    }
    this.#isWhole = true;
  }

  /** @throws {StoreError} `invalid-argument` unless all of it has been read and it is what `file` names. */
  check({ fileSha256 }: NarFileName): void {
    if (!this.#isWhole) throw invalid("Something follows the end of the compressed NAR");
    const found = this.#hash.digest();
    if (equalBytes(found, fileSha256)) return;
    throw invalid(
      `The file was announced with SHA-256 ${encodeNixBase32(fileSha256)} and has ${encodeNixBase32(found)}`,
    );
  }
}

/** Whether `known` has the NAR that `narinfo` tells of. */
function isOf(narinfo: Narinfo, known: PathInfo | undefined): known is PathInfo {
  return (
    known !== undefined &&
    equalBytes(known.narSha256, narinfo.narSha256) &&
    known.narSize === narinfo.narSize
  );
}

/** References are a set; a store keeps the order in which it was told of them first. */
function inKnownOrder(pathInfo: PathInfo, known: PathInfo | undefined): PathInfo {
  if (known === undefined) return pathInfo;
  const namesOf = ({ references }: PathInfo) => [...new Set(references.map(String))].sort().join();
  return namesOf(pathInfo) === namesOf(known)
    ? { ...pathInfo, references: known.references }
    : pathInfo;
}

function stored(): Reply {
  return textReply(200, "Stored");
}

function invalid(message: string): StoreError {
  return new StoreError("invalid-argument", message);
}
