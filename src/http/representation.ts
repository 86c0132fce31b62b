/**
 * Serving one resource: whole or in part, only if it changed, compressed if the client likes.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { StreamOptions } from "../castore/blob/service.js";
import { readRange, type ServedRange } from "./byte-range.js";
import { chooseEncoding } from "./content-encoding.js";
import type { Encoders } from "./encoders.js";
import { type Reply, textReply } from "./reply.js";

/** Something that can be served. */
export interface Representation {
  /** For Content-Type. */
  readonly type: string;
  /** Letters, digits and dashes that change whenever the bytes do. */
  readonly tag: string;
  /** Length in bytes; without it there are no ranges. */
  readonly size?: number;
  /** For how long others may keep it; `immutable` for as long as they like. */
  readonly cache: "immutable" | "short" | "never";
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Compressed already, whatever its type says. */
  readonly isDense?: boolean;
  /** The bytes, or those of a part; in one piece where they are in memory, best as text. */
  open(range?: ServedRange, options?: StreamOptions): Content;
}

type Content = NonNullable<Reply["body"]>;

const CACHE_CONTROL = {
  immutable: "max-age=31536000, immutable",
  short: "max-age=60",
  never: "no-cache",
} as const;

/** Less fits into the packets that go out at once, and would arrive no sooner for being smaller. */
const ENCODED_BYTES_MIN = 4096;

export class Responder {
  /** Whether caches that serve several users may keep what is served. */
  readonly #isPublic: () => boolean;
  readonly #encoders: Encoders;

  constructor(encoders: Encoders, isPublic: () => boolean) {
    this.#encoders = encoders;
    this.#isPublic = isPublic;
  }

  /** The reply to a GET or HEAD with `headers`; of a HEAD nothing is opened, as the body is never pulled. */
  reply(resource: Representation, headers: IncomingHttpHeaders): Reply {
    const encoding = this.#encodingFor(resource, headers);
    const tag = `"${resource.tag}${encoding === undefined ? "" : `-${encoding}`}"`;
    const visibility = this.#isPublic() ? "public" : "private";
    const lines: Record<string, string | number> = {
      etag: tag,
      "cache-control": `${visibility}, ${CACHE_CONTROL[resource.cache]}`,
      vary: "Accept-Encoding",
    };
    if (resource.headers !== undefined) Object.assign(lines, resource.headers);
    if (isListed(headers["if-none-match"], tag)) return { status: 304, headers: lines };
    if (encoding !== undefined) {
      lines["content-type"] = resource.type;
      lines["content-encoding"] = encoding;
      const body = this.#encoders.encode(piecesOf(resource.open()), encoding);
      return { status: 200, headers: lines, body };
    }
    const { size } = resource;
    if (size === undefined) {
      lines["content-type"] = resource.type;
      return { status: 200, headers: lines, body: resource.open() };
    }
    const condition = headers["if-range"];
    const range = readRange(
      condition === undefined || condition === tag ? headers.range : undefined,
      size,
    );
    if (range === "unsatisfiable") {
      lines["content-range"] = `bytes */${size}`;
      return textReply(416, `There are ${size} bytes`, lines);
    }
    lines["content-type"] = resource.type;
    lines["accept-ranges"] = "bytes";
    if (range === undefined) {
      lines["content-length"] = size;
      const body = resource.open(undefined, { transient: true });
      return { status: 200, headers: lines, body };
    }
    lines["content-length"] = range.end - range.start;
    lines["content-range"] = `bytes ${range.start}-${range.end - 1}/${size}`;
    return { status: 206, headers: lines, body: resource.open(range) };
  }

  /** Whoever asks for a part wants those bytes and no others. */
  #encodingFor({ size, type, isDense }: Representation, headers: IncomingHttpHeaders) {
    if (headers.range !== undefined || (size !== undefined && size < ENCODED_BYTES_MIN))
      return undefined;
    if (isDense || isDenseType(type)) return undefined;
    // When all compressors are at work, replies go out as they are.
    return chooseEncoding(headers["accept-encoding"], (each) => this.#encoders.isFree(each));
  }
}

/** A resource that is a text in memory. */
export function textResource(
  text: string,
  options: Pick<Representation, "type" | "tag" | "cache" | "headers">,
): Representation {
  const bytes = Buffer.from(text);
  return {
    ...options,
    size: bytes.length,
    open: (range) => (range === undefined ? text : bytes.subarray(range.start, range.end)),
  };
}

/** What {@link Representation.open} gave, piece by piece. */
export async function* piecesOf(content: Content): AsyncGenerator<Uint8Array> {
  if (typeof content === "string") yield Buffer.from(content);
  else if (content instanceof Uint8Array) yield content;
  else yield* content;
}

/** Whether `If-None-Match: header` lists `tag`. Here a weak tag will do (RFC 9110, section 13.1.2). */
function isListed(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(",", 64).some((each) => {
    const listed = each.trim();
    return listed === "*" || listed.replace(/^W\//, "") === tag;
  });
}

/** Formats that are compressed already. */
function isDenseType(type: string): boolean {
  return /^(image\/(?!svg)|video\/|audio\/|font\/woff|application\/(zip|gzip|x-xz|zstd))/.test(
    type,
  );
}
