/**
 * Files of a binary cache that are kept as they came:
 *
 *   log/<store path name>                                text, the log of a build
 *   debuginfo/<hex build id>[.debug]                     JSON, which NAR has the debug information
 *   realisations/sha256:<64 hex digits>!<output>.doi     JSON, what an output of a derivation became
 */
import { isStoreError, StoreError } from "../base/errors.js";
import { StorePath } from "../store/store-path.js";
import { streamBlob } from "./blob-content.js";
import type { Exchange } from "./exchange.js";
import { absent, type Reply, textReply } from "./reply.js";
import type { Responder } from "./representation.js";
import type { Route } from "./routes.js";
import type { CacheServices } from "./services.js";
import type { UploadRecords } from "./upload-records.js";

interface Kind {
  readonly type: string;
  readonly bytesMax: number;
  readonly isName: (name: string) => boolean;
}

const MEGABYTE = 1024 * 1024;
const JSON_TYPE = "application/json";

const KINDS: ReadonlyMap<string, Kind> = new Map([
  [
    "log",
    { type: "text/plain; charset=utf-8", bytesMax: 1024 * MEGABYTE, isName: isStorePathName },
  ],
  [
    "debuginfo",
    {
      type: JSON_TYPE,
      bytesMax: MEGABYTE,
      isName: (name: string) => /^[0-9a-f]{8,128}(\.debug)?$/.test(name),
    },
  ],
  [
    "realisations",
    {
      type: JSON_TYPE,
      bytesMax: MEGABYTE,
      isName: (name: string) => /^sha256:[0-9a-f]{64}![A-Za-z0-9+\-_?=.]{1,211}\.doi$/.test(name),
    },
  ],
]);

export interface CacheFileOptions {
  readonly services: CacheServices;
  readonly responder: Responder;
  readonly uploads: UploadRecords | undefined;
}

export class CacheFileHandlers {
  readonly #options: CacheFileOptions;

  constructor(options: CacheFileOptions) {
    this.#options = options;
  }

  /** Whether `folder/name` may be the name of such a file. */
  accepts(folder: string, name: string): boolean {
    return KINDS.get(folder)?.isName(name) ?? false;
  }

  async get(folder: string, name: string, { headers, signal }: Exchange): Promise<Reply> {
    const { services, responder, uploads } = this.#options;
    const record = await uploads?.cacheFile(`${folder}/${name}`);
    if (record === undefined) return absent();
    const { digest, size } = record;
    if (!(await services.blobs.has(digest, { signal }))) {
      throw new StoreError("dangling-reference", `Blob ${digest} is missing from the store`);
    }
    const type = (KINDS.get(folder) as Kind).type;
    return responder.reply(
      {
        type,
        tag: digest.hex,
        size: Number(size),
        cache: "short",
        open: (range) => streamBlob(services.blobs, digest, range),
      },
      headers,
    );
  }

  /** How such a file is taken. */
  put(folder: string, name: string): NonNullable<Route["put"]> {
    const { type, bytesMax } = KINDS.get(folder) as Kind;
    return {
      bytesMax,
      handle: async ({ body, signal }) => {
        const { services, uploads } = this.#options;
        if (uploads === undefined) throw noUploads();
        await using writer = await services.blobs.openWrite({ signal });
        const pieces: Uint8Array[] = [];
        for await (const piece of body) {
          if (type === JSON_TYPE) pieces.push(piece);
          await writer.write(piece);
        }
        if (type === JSON_TYPE) checkJson(Buffer.concat(pieces));
        const { digest, size } = await writer.close();
        await uploads.putCacheFile(`${folder}/${name}`, { digest, size: BigInt(size) });
        return textReply(200, "Stored");
      },
    };
  }
}

export function noUploads(): StoreError {
  return new StoreError(
    "permission-denied",
    "This server takes no uploads: its path infos are kept elsewhere",
  );
}

/** @throws {StoreError} `invalid-argument` unless `bytes` are a JSON object. */
export function checkJson(bytes: Buffer): void {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  } catch {
    // Said below.
  }
  throw new StoreError("invalid-argument", "The body is no JSON object");
}

function isStorePathName(name: string): boolean {
  try {
    StorePath.parse(name);
    return true;
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) return false;
    throw error;
  }
}
