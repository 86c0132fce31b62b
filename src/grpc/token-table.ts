/**
 * Who may call, and to do what:
 *
 *   file  := { line "\n" }
 *   line  := right " " name " " token | "#" anything | ""
 *   right := "read" | "write"
 *
 * `write` includes `read`. The name is for logs; tokens are secrets, of which only digests are kept here.
 */
import { createHash } from "node:crypto";
import { StoreError } from "../base/errors.js";

export type Right = "read" | "write";

export interface Caller {
  readonly name: string;
  readonly right: Right;
}

/** Shorter ones can be guessed. */
const TOKEN_LENGTH_MIN = 16;
/** What may stand in an `authorization` header as a bearer token (RFC 6750). */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

export class TokenTable {
  readonly #callers = new Map<string, Caller>();

  /**
   * Reads a file of tokens.
   *
   * @param origin what the file is called, for messages.
   * @throws {StoreError} `invalid-argument`, naming the line but nothing that stands in it.
   */
  static parse(text: string, origin: string): TokenTable {
    const table = new TokenTable();
    for (const [index, line] of text.split("\n").entries()) {
      const wrong = (why: string) =>
        new StoreError("invalid-argument", `${origin}, line ${index + 1}: ${why}`);
      const words = line.trim().split(/\s+/);
      if (words[0] === "" || words[0]?.startsWith("#")) continue;
      const [right, name = "", token = "", ...more] = words;
      if (words.length < 3 || more.length > 0 || (right !== "read" && right !== "write")) {
        throw wrong("expected `read NAME TOKEN` or `write NAME TOKEN`");
      }
      if (token.length < TOKEN_LENGTH_MIN) {
        throw wrong(`the token has less than ${TOKEN_LENGTH_MIN} characters`);
      }
      if (!isToken(token)) {
        throw wrong("the token has characters other than A-Z a-z 0-9 . _ ~ + / - =");
      }
      if (table.find(token) !== undefined) throw wrong("this token was listed before");
      table.#callers.set(digestOf(token), { name, right });
    }
    if (table.#callers.size === 0) {
      throw new StoreError("invalid-argument", `${origin} lists no token`);
    }
    return table;
  }

  /** Whose token it is. Looked up by digest: how long it takes tells nothing of the tokens there are. */
  find(token: string): Caller | undefined {
    return this.#callers.get(digestOf(token));
  }
}

/** Whether `text` can be sent as a token. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
