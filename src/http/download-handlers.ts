/**
 * What Nix reads from a binary cache.
 */
import { WRITABLE_COMPRESSIONS, type WritableCompression } from "../base/compression/compress.js";
import { isStoreError, StoreError } from "../base/errors.js";
import { B3Digest } from "../castore/digest.js";
import { encodeNode } from "../castore/node-codec.js";
import type { NarCalculator } from "../store/nar/calculation.js";
import { findNarRoot } from "../store/nar/find-root.js";
import { listNar } from "../store/nar/listing.js";
import { decodeNixBase32 } from "../store/nixbase32.js";
import type { PathInfo } from "../store/path-info.js";
import { STORE_DIR, StorePath } from "../store/store-path.js";
import type { Encoders } from "./encoders.js";
import type { Exchange } from "./exchange.js";
import { NAR_TYPE, NarResources } from "./nar-resource.js";
import { nodeFromUrl, parseNarFileName } from "./nar-url.js";
import { narinfoResource } from "./narinfo-resource.js";
import { absent, type Reply, textReply } from "./reply.js";
import { piecesOf, type Responder, textResource } from "./representation.js";
import type { CacheServices } from "./services.js";
import type { UploadRecords } from "./upload-records.js";

const NO_NAME = new Uint8Array(0);

export interface DownloadOptions {
  readonly services: CacheServices;
  readonly responder: Responder;
  readonly encoders: Encoders;
  readonly calculator: NarCalculator;
  readonly uploads: UploadRecords | undefined;
  /** Clients ask caches with lower numbers first. */
  readonly priority: number;
}

export class DownloadHandlers {
  readonly #options: DownloadOptions;
  readonly #nars: NarResources;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#nars = new NarResources(options.services);
  }

  cacheInfo({ headers }: Exchange): Reply {
    const { priority, responder } = this.#options;
    const text = `StoreDir: ${STORE_DIR}\nWantMassQuery: 1\nPriority: ${priority}\n`;
    const resource = textResource(text, {
      type: "text/x-nix-cache-info",
      tag: `priority-${priority}`,
      cache: "short",
    });
    return responder.reply(resource, headers);
  }

  async narinfo(hash: string, exchange: Exchange): Promise<Reply> {
    const pathInfo = await this.#find(hash, exchange);
    if (pathInfo === undefined) return absent();
    return this.#options.responder.reply(narinfoResource(pathInfo), exchange.headers);
  }

  async listing(hash: string, exchange: Exchange): Promise<Reply> {
    const { services, responder } = this.#options;
    const { headers, signal } = exchange;
    const pathInfo = await this.#find(hash, exchange);
    if (pathInfo === undefined) return absent();
    const { node } = pathInfo;
    const text = listNar(node, services.directories, { signal });
    return responder.reply(
      {
        type: "application/json",
        tag: `ls-${B3Digest.of(encodeNode(NO_NAME, node)).hex}`,
        cache: "short",
        open: () => bytesOf(text),
      },
      headers,
    );
  }

  /** The NAR of the node that the URL names. */
  async castoreNar(text: string, { headers, signal, target }: Exchange): Promise<Reply> {
    const node = nodeFromUrl(text);
    if (node === undefined) return absent();
    const narSize = target.query.get("narsize") ?? "";
    if (!/^\d{1,20}$/.test(narSize)) return textReply(400, "narsize=BYTES is missing");
    const { responder } = this.#options;
    const resource = await this.#nars.get(node, { signal });
    if (String(resource.size) === narSize) return responder.reply(resource, headers);
    return textReply(400, `The NAR has ${resource.size} bytes, not narsize=${narSize}`);
  }

  /** The NAR in the file that has this name: as it was uploaded, or uncompressed under its own hash. */
  async narFile(name: string, { headers, method, signal }: Exchange): Promise<Reply> {
    const { services, responder, encoders, calculator, uploads } = this.#options;
    const file = parseNarFileName(name);
    if (file === undefined || services.nars === undefined) return absent();
    const known = await uploads?.narFile(file.fileSha256);
    const compression = known?.compression ?? "none";
    if (known === undefined && file.suffix !== "") return absent();
    const narSha256 = known?.narSha256 ?? file.fileSha256;
    const record = await findNarRoot(narSha256, services.nars, calculator, { signal });
    if (record === undefined) return absent();
    const resource = await this.#nars.get(record.node, { signal });
    if (compression === "none") return responder.reply(resource, headers);
    // The client that uploaded it remembers it so, and unpacks whatever unpacks to the same NAR.
    if (!isWritable(compression)) return absent();
    // Nix gives up an upload when its question whether the file is here fails; nothing is compressed for that.
    if (method !== "HEAD" && !encoders.isFree(compression)) {
      throw new StoreError("unavailable", "Too many NARs are being compressed: try again");
    }
    return responder.reply(
      {
        cache: resource.cache,
        tag: `${resource.tag}-as-${compression}`,
        type: NAR_TYPE,
        isDense: true,
        open: () => encoders.encode(piecesOf(resource.open()), compression),
      },
      headers,
    );
  }

  async #find(hash: string, exchange: Exchange): Promise<PathInfo | undefined> {
    let bytes: Buffer;
    try {
      bytes = decodeNixBase32(hash, StorePath.HASH_BYTES);
    } catch (error) {
      if (isStoreError(error, "invalid-argument")) return undefined;
      throw error;
    }
    return await this.#options.services.pathInfos.get(bytes, exchange);
  }
}

function isWritable(compression: string): compression is WritableCompression {
  return (WRITABLE_COMPRESSIONS as readonly string[]).includes(compression);
}

async function* bytesOf(text: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const piece of text) yield Buffer.from(piece);
}
