/**
 * Names and passwords for servers, as curl and Nix read them:
 *
 *   netrc   := { entry }
 *   entry   := ( "machine" host | "default" ) { "login" text | "password" text | "account" text }
 *            | "macdef" name LF { line LF } LF
 *
 * separated by blanks or line ends. A text may be in double quotes, with `\` before what is to be taken as it
 * is. A `#` at the start of a line begins a comment. The first entry that fits counts.
 */
import { StoreError } from "../../base/errors.js";

export interface Login {
  readonly login: string;
  readonly password: string;
}

interface Entry {
  /** Absent for `default`. */
  readonly host: string | undefined;
  login: string;
  password: string;
}

export class Netrc {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** @throws {StoreError} `invalid-argument`, without a word of what may be secret. */
  static parse(text: string): Netrc {
    const entries: Entry[] = [];
    const words = wordsOf(text);
    const next = (after: string): string => {
      const { value, done } = words.next();
      if (done) throw malformed(`nothing follows the last "${after}"`);
      return value;
    };
    for (const word of words) {
      const entry = entries.at(-1);
      if (word === "machine") entries.push({ host: next(word), login: "", password: "" });
      else if (word === "default") entries.push({ host: undefined, login: "", password: "" });
      else if (entry === undefined) throw malformed("it does not begin with a machine");
      else if (word === "login") entry.login = next(word);
      else if (word === "password") entry.password = next(word);
      else if (word === "account") next(word);
      else throw malformed(`an unknown word in entry ${entries.length}`);
    }
    return new Netrc(entries);
  }

  /** What to tell `host`; `undefined` when there is nothing for it. */
  find(host: string): Login | undefined {
    const wanted = host.toLowerCase();
    return this.#entries.find((entry) => (entry.host ?? wanted).toLowerCase() === wanted);
  }
}

/** One generator, so that a keyword can take the word after it. */
function* wordsOf(text: string): Generator<string> {
  const lines = text.replaceAll("\r\n", "\n");
  // A macro ends with the first empty line.
  const withoutMacros = lines.replace(/^[ \t]*macdef(?:[^\n]+(?:\n|$))*/gm, "");
  const withoutComments = withoutMacros.replace(/^[ \t]*#.*$/gm, "");
  for (const [, quoted, plain] of withoutComments.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/gs)) {
    yield quoted === undefined ? (plain as string) : quoted.replace(/\\(.)/gs, "$1");
  }
}

function malformed(why: string): StoreError {
  return new StoreError("invalid-argument", `Invalid netrc file: ${why}`);
}
