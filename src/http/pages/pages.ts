/**
 * What people see with a browser. Works without JavaScript, and runs none.
 */
import { createHash } from "node:crypto";
import { decodeUtf8 } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { FileNode } from "../../castore/node.js";
import { readBlobStart, streamBlob } from "../blob-content.js";
import type { Exchange } from "../exchange.js";
import { absent, type Reply, redirect, textReply } from "../reply.js";
import { type Responder, textResource } from "../representation.js";
import type { CacheServices } from "../services.js";
import { absentPage } from "./absent-page.js";
import { Catalogue, type Snapshot } from "./catalogue.js";
import { type FoundNode, findNode } from "./find-node.js";
import { homePage, type Terms } from "./home.js";
import type { Markup } from "./html.js";
import { ICON } from "./icon.js";
import { PAGE_POLICY } from "./layout.js";
import { browseLink, browseLinkTo, linkTarget, rawLinkTo } from "./links.js";
import { listPage } from "./list-page.js";
import { looksLikeText, mediaType, SAMPLE_BYTES } from "./media-type.js";
import { nodePage, type Preview } from "./node-page.js";
import { STYLE } from "./style.js";
import { textOf } from "./text-of.js";

const STORE_SEGMENTS = 2;
const PAGE_TYPE = "text/html; charset=utf-8";
const PREVIEW_BYTES = 64 * 1024;
const SEARCH_LENGTH_MAX = 256;

/** Files of a store are whoever built them's: they may look as they like, but run nothing and send nothing. */
const FILE_POLICY =
  "sandbox; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; media-src 'self'";

export interface PagesOptions {
  readonly services: CacheServices;
  readonly responder: Responder;
  /** As they are now: who may come in can change. */
  readonly terms: () => Terms;
}

export class Pages {
  readonly #options: PagesOptions;
  readonly #catalogue: Catalogue;

  constructor(options: PagesOptions) {
    this.#options = options;
    this.#catalogue = new Catalogue(options.services.pathInfos);
  }

  home({ origin, headers }: Exchange): Reply {
    return this.#page(homePage(origin, this.#options.terms()), headers);
  }

  style({ headers }: Exchange): Reply {
    return this.#text(STYLE, "text/css; charset=utf-8", headers);
  }

  icon({ headers }: Exchange): Reply {
    return this.#text(ICON, "image/svg+xml", headers);
  }

  /** `/browse/`, and `/browse/<store path>[/…]`. */
  async browse({ target, headers, origin, signal }: Exchange): Promise<Reply> {
    const [, ...segments] = target.segments;
    const from = Number(/^\d{1,9}$/.exec(target.query.get("from") ?? "")?.[0] ?? 0);
    if (segments.length === 0) {
      if (!target.endsInSlash) return redirect("/browse/");
      const search = (target.query.get("q") ?? "").trim().slice(0, SEARCH_LENGTH_MAX);
      const snapshot = await this.#snapshot(signal);
      if (snapshot !== undefined) return this.#page(listPage(snapshot, search, from), headers);
      return textReply(404, "This store cannot tell which store paths it has");
    }
    const { services } = this.#options;
    const found = await findNode(segments, services, signal);
    if (found === undefined) return absentReply(segments);
    if ("segments" in found) return redirect(browseLinkTo(found.segments));
    const { node, below } = found;
    const directory =
      node.type === "directory"
        ? await services.directories.get(node.digest, { signal })
        : undefined;
    if (node.type === "directory" && directory === undefined) {
      throw new StoreError("dangling-reference", `Directory ${node.digest} is missing`);
    }
    const content = {
      folder: directory && { directory, from },
      preview: node.type === "file" ? await this.#preview(node) : undefined,
      surroundings:
        below.length === 0 ? { origin, snapshot: await this.#snapshot(signal) } : undefined,
    };
    return this.#page(nodePage(found, content), headers);
  }

  /** `/nix/store/<store path>[/…]`: the file itself. */
  async raw({ target, headers, signal }: Exchange): Promise<Reply> {
    const segments = target.segments.slice(STORE_SEGMENTS);
    const found = await findNode(segments, this.#options.services, signal);
    if (found === undefined) return absent();
    if ("segments" in found) return redirect(rawLinkTo(found.segments));
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

  /** `undefined` when the path infos cannot be listed. */
  async #snapshot(signal: AbortSignal): Promise<Snapshot | undefined> {
    try {
      return await this.#catalogue.read(signal);
    } catch (error) {
      if (isStoreError(error, "unsupported")) return undefined;
      throw error;
    }
  }

  async #preview(node: FileNode): Promise<Preview> {
    const start = await readBlobStart(this.#options.services.blobs, node.digest, PREVIEW_BYTES);
    const text = looksLikeText(start)
      ? (decodeUtf8(start) ?? Buffer.from(start).toString())
      : undefined;
    return { text, isWhole: Number(node.size) === start.length };
  }

  #page(markup: Markup, headers: Exchange["headers"]): Reply {
    const resource = textResource(markup.text, {
      type: PAGE_TYPE,
      tag: tagOf(markup.text),
      cache: "never",
      headers: { "content-security-policy": PAGE_POLICY },
    });
    return this.#options.responder.reply(resource, headers);
  }

  #text(text: string, type: string, headers: Exchange["headers"]): Reply {
    const resource = textResource(text, {
      type,
      tag: tagOf(text),
      cache: "short",
      headers: { "content-security-policy": FILE_POLICY },
    });
    return this.#options.responder.reply(resource, headers);
  }
}

function absentReply(segments: readonly Uint8Array[]): Reply {
  const { text } = absentPage(segments);
  return {
    status: 404,
    headers: {
      "content-type": PAGE_TYPE,
      "content-length": Buffer.byteLength(text),
      "content-security-policy": PAGE_POLICY,
      "cache-control": "no-store",
    },
    body: text,
  };
}

function tagOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
