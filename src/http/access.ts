/**
 * Who may do what, decided from the headers alone.
 *
 * Tokens come as `Authorization: Bearer TOKEN`, or as the password of `Basic`, which is how Nix sends what its
 * netrc file holds; the user name may be anything.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Exchange } from "./exchange.js";
import { type Reply, textReply } from "./reply.js";

export type Right = "read" | "write";

export interface Caller {
  /** For logs. */
  readonly name: string;
  /** `write` includes `read`. */
  readonly right: Right;
}

/** The tokens that are known. */
export interface Tokens {
  find(token: string): Caller | undefined;
}

export interface AccessOptions {
  /** Whether anybody may upload at all. */
  readonly allowUpload: boolean;
  /** Every request takes one of these; without, everybody who can connect is let in. */
  readonly tokens?: Tokens | undefined;
}

const CHALLENGE = { "www-authenticate": 'Basic realm="tvix-store", charset="UTF-8"' };

export class Access {
  readonly #allowUpload: boolean;
  tokens: Tokens | undefined;

  constructor({ allowUpload, tokens }: AccessOptions) {
    this.#allowUpload = allowUpload;
    this.tokens = tokens;
  }

  callerOf({ authorization }: IncomingHttpHeaders): Caller | undefined {
    const token = authorization === undefined ? undefined : tokenOf(authorization);
    return token === undefined ? undefined : this.tokens?.find(token);
  }

  /** The refusal of a request of `caller` that takes the right `needed`, if it is refused. */
  refusal(
    needed: Right,
    { headers, caller }: Pick<Exchange, "headers" | "caller">,
  ): Reply | undefined {
    if (this.tokens !== undefined && caller === undefined) {
      const why =
        headers.authorization === undefined
          ? "This server asks for a token: as the password in a netrc file, or as a bearer token"
          : "This token is not known here";
      return textReply(401, why, CHALLENGE);
    }
    if (needed === "read") return undefined;
    if (!this.#allowUpload) {
      return textReply(403, "This server takes no uploads; --allow-upload makes it");
    }
    if (caller?.right === "read") {
      return textReply(403, "This token is for reading only");
    }
    // A web page may send its visitor's browser here, under a name that leads to this machine. Nix is no browser.
    if (caller === undefined && headers.origin !== undefined) {
      return textReply(403, "Uploads from web pages take a token");
    }
    return undefined;
  }
}

function tokenOf(authorization: string): string | undefined {
  const [, scheme = "", value = ""] = /^(\w+) +(\S+)$/.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return value;
    case "basic": {
      const pair = Buffer.from(value, "base64").toString();
      const colon = pair.indexOf(":");
      return colon < 0 ? undefined : pair.slice(colon + 1);
    }
    default:
      return undefined;
  }
}
