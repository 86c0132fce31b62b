/**
 * Which handler answers which request.
 */
import type { CacheFileHandlers } from "./cache-file-handlers.js";
import type { DownloadHandlers } from "./download-handlers.js";
import type { Exchange } from "./exchange.js";
import { isCastoreFolder } from "./nar-url.js";
import type { Pages } from "./pages/pages.js";
import { absent, type Reply, textReply } from "./reply.js";
import type { UploadHandlers } from "./upload-handlers.js";

type Handler = (exchange: Exchange) => Reply | Promise<Reply>;

/** What may be done with one target. */
export interface Route {
  /** For figures: one of a few. */
  readonly name: string;
  readonly get?: Handler;
  /** The limit of the body, in bytes. */
  readonly put?: { readonly bytesMax: number; readonly handle: Handler } | undefined;
}

const NARINFO = /^([^.]{32})\.narinfo$/;
const LISTING = /^([^.]{32})\.ls$/;

export interface Handlers {
  readonly downloads: DownloadHandlers;
  readonly files: CacheFileHandlers;
  readonly uploads: UploadHandlers;
  readonly pages: Pages;
}

/** The route of `exchange`; every target has one, if only to an absence. */
export function routeOf(
  { target: { names } }: Pick<Exchange, "target">,
  { downloads, files, uploads, pages }: Handlers,
): Route {
  const [first = "", second = "", third = ""] = names;
  switch (names.length) {
    case 0:
      return { name: "home", get: (exchange) => pages.home(exchange) };
    case 1: {
      if (first === "nix-cache-info")
        return { name: "cache-info", get: (exchange) => downloads.cacheInfo(exchange) };
      if (first === "style.css") return { name: "style", get: (exchange) => pages.style(exchange) };
      if (first === "icon.svg") return { name: "icon", get: (exchange) => pages.icon(exchange) };
      const narinfo = NARINFO.exec(first)?.[1];
      if (narinfo !== undefined) {
        return {
          name: "narinfo",
          get: (exchange) => downloads.narinfo(narinfo, exchange),
          put: uploads.narinfo(narinfo),
        };
      }
      const listing = LISTING.exec(first)?.[1];
      if (listing !== undefined) {
        return {
          name: "listing",
          get: (exchange) => downloads.listing(listing, exchange),
          put: uploads.listing(listing),
        };
      }
      break;
    }
    case 2:
      if (first === "nar") {
        return {
          name: "nar",
          get: (exchange) => downloads.narFile(second, exchange),
          put: uploads.nar(second),
        };
      }
      if (files.accepts(first, second)) {
        return {
          name: "file",
          get: (exchange) => files.get(first, second, exchange),
          put: files.put(first, second),
        };
      }
      break;
    case 3:
      if (first === "nar" && isCastoreFolder(second)) {
        return { name: "castore-nar", get: (exchange) => downloads.castoreNar(third, exchange) };
      }
  }
  if (first === "browse") return { name: "browse", get: (exchange) => pages.browse(exchange) };
  if (first === "nix" && second === "store")
    return { name: "raw", get: (exchange) => pages.raw(exchange) };
  return { name: "none", get: () => absent() };
}

/** The answer to a method that a target does not have. */
export function methodRefused(route: Route): Reply {
  const allowed = [...(route.get ? ["GET", "HEAD"] : []), ...(route.put ? ["PUT"] : [])].join(", ");
  return textReply(405, `Here one can ${allowed}`, { allow: allowed });
}
