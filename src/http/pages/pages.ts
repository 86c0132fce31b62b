/**
 * What people see with a browser. Works without JavaScript, and runs none.
 */
import { decodeUtf8 } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { FileNode } from "../../castore/node.js";
import type { PublicKey } from "../../store/signature/public-key.js";
import type { StorePath } from "../../store/store-path.js";
import { readBlobStart, streamBlob } from "../blob-content.js";
import type { Exchange } from "../exchange.js";
import { absent, type Reply, redirect, textReply } from "../reply.js";
import { type Responder, textResource } from "../representation.js";
import type { CacheServices } from "../services.js";
import { Catalogue } from "./catalogue.js";
import { type FoundNode, findNode } from "./find-node.js";
import { homePage } from "./home.js";
import type { Markup } from "./html.js";
import { PAGE_POLICY, STYLE } from "./layout.js";
import { browseLink, linkTarget, rawLinkTo } from "./links.js";
import { listPage } from "./list-page.js";
import { looksLikeText, mediaType, SAMPLE_BYTES } from "./media-type.js";
import { nodePage, textOf } from "./node-page.js";

const STORE_SEGMENTS = 2;
const PREVIEW_BYTES = 64 * 1024;

/** Files of a store are whoever built them's: they may look as they like, but run nothing and send nothing. */
const FILE_POLICY =
  "sandbox; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; media-src 'self'";

export interface PagesOptions {
  readonly services: CacheServices;
  readonly responder: Responder;
  readonly publicKeys: readonly PublicKey[];
}

export class Pages {
  readonly #options: PagesOptions;
  readonly #catalogue: Catalogue;

  constructor(options: PagesOptions) {
    this.#options = options;
    this.#catalogue = new Catalogue(options.services.pathInfos);
  }

  home({ origin }: Exchange): Reply {
    return pageReply(homePage(origin, this.#options.publicKeys));
  }

  style({ headers }: Exchange): Reply {
    const resource = textResource(STYLE, {
      type: "text/css; charset=utf-8",
      tag: `style-${STYLE.length}`,
      cache: "short",
    });
    return this.#options.responder.reply(resource, headers);
  }

  /** `/browse/`, and `/browse/<store path>[/…]`. */
  async browse({ target, signal }: Exchange): Promise<Reply> {
    const [, ...segments] = target.segments;
    if (segments.length === 0) {
      if (!target.endsInSlash) return redirect("/browse/");
      return await this.#list(target.query, signal);
    }
    const { services } = this.#options;
    const found = await findNode(segments, services, signal);
    if (found === undefined) return absent();
    const { node, pathInfo, below } = found;
    const directory =
      node.type === "directory"
        ? await services.directories.get(node.digest, { signal })
        : undefined;
    if (node.type === "directory" && directory === undefined) {
      throw new StoreError("dangling-reference", `Directory ${node.digest} is missing`);
    }
    const text = node.type === "file" ? await this.#preview(node) : undefined;
    const referrers = below.length === 0 ? await this.#referrers(pathInfo.storePath, signal) : [];
    return pageReply(nodePage(found, { directory, text, referrers }));
  }

  /** `/nix/store/<store path>[/…]`: the file itself. */
  async raw({ target, headers, signal }: Exchange): Promise<Reply> {
    const found = await findNode(
      target.segments.slice(STORE_SEGMENTS),
      this.#options.services,
      signal,
    );
    if (found === undefined) return absent();
    const { node, pathInfo, below } = found;
    switch (node.type) {
      case "directory":
        return redirect(browseLink(pathInfo.storePath, below));
      case "symlink": {
        const way = linkTarget(pathInfo.storePath, below, node.target);
        if (way !== undefined) return redirect(rawLinkTo(way));
        return textReply(
          404,
          `This is a symlink to ${textOf(node.target)}, which is not in the store`,
        );
      }
      case "file":
        return await this.#file(found, node, headers);
    }
  }

  async #file({ pathInfo, below }: FoundNode, node: FileNode, headers: Exchange["headers"]) {
    const { services, responder } = this.#options;
    const name = below.at(-1) ?? Buffer.from(pathInfo.storePath.name);
    const sample = await readBlobStart(services.blobs, node.digest, SAMPLE_BYTES);
    const size = Number(node.size);
    return responder.reply(
      {
        type: mediaType(name, sample),
        tag: node.digest.hex,
        size,
        cache: "short",
        headers: { "content-security-policy": FILE_POLICY },
        open: (range) => streamBlob(services.blobs, node.digest, range),
      },
      headers,
    );
  }

  async #list(query: URLSearchParams, signal: AbortSignal): Promise<Reply> {
    try {
      const snapshot = await this.#catalogue.read(signal);
      const from = Number(/^\d{1,9}$/.exec(query.get("from") ?? "")?.[0] ?? 0);
      return pageReply(listPage(snapshot, (query.get("q") ?? "").slice(0, 256), from));
    } catch (error) {
      if (!isStoreError(error, "unsupported")) throw error;
      return textReply(404, "This store cannot tell which store paths it has");
    }
  }

  async #referrers(storePath: StorePath, signal: AbortSignal): Promise<readonly StorePath[]> {
    try {
      return (await this.#catalogue.read(signal)).referrersOf(storePath);
    } catch (error) {
      if (isStoreError(error, "unsupported")) return [];
      throw error;
    }
  }

  /** The beginning of a file that is text. */
  async #preview(node: FileNode): Promise<string | undefined> {
    const start = await readBlobStart(this.#options.services.blobs, node.digest, PREVIEW_BYTES);
    if (!looksLikeText(start)) return undefined;
    const text = decodeUtf8(start) ?? Buffer.from(start).toString();
    return Number(node.size) > start.length ? `${text}\n…` : text;
  }
}

function pageReply(markup: Markup): Reply {
  return {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-length": Buffer.byteLength(markup.text),
      "content-security-policy": PAGE_POLICY,
      "cache-control": "no-cache",
    },
    body: markup.text,
  };
}
