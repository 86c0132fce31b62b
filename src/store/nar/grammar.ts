/**
 * The grammar of NARs:
 *
 *   nar       := "nix-archive-1" node
 *   node      := "(" "type" ( regular | symlink | directory ) ")"
 *   regular   := "regular" [ "executable" "" ] "contents" <bytes>
 *   symlink   := "symlink" "target" <bytes>
 *   directory := "directory" { entry }
 *   entry     := "entry" "(" "name" <bytes> "node" node ")"
 *
 * Every string is framed as in framing.ts, its padding all zeros. Names are as in path-component.ts and in
 * strictly ascending byte order; targets have 1 to 4095 bytes, none of them NUL. Nothing follows the NAR.
 *
 * Nix itself takes more than that: entries out of order, bytes after the end, files without contents, marks
 * behind the contents. None of these would come back the same, so there is one NAR for each tree here.
 */
import { compareBytes, quoteBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import {
  NAME_BYTES_MAX,
  TARGET_BYTES_MAX,
  validateName,
  validateTarget,
} from "../../castore/path-component.js";
import {
  CLOSE,
  DIRECTORY,
  ENTRY,
  EXECUTABLE,
  MAGIC,
  NODE,
  paddingBytes,
  REGULAR,
  SYMLINK,
} from "./framing.js";
import { MORE, type TokenReader } from "./token-reader.js";
import { DEPTH_MAX } from "./walk.js";

/** Nix refuses NARs with more directories inside each other, from version 2.34.7 on. */
export const NIX_DEPTH_MAX = 64;

/** What is taken; the rest is refused. */
export interface NarReaderOptions {
  /** How many directories may lie inside each other; 4096 unless given. */
  readonly depthMax?: number;
  /** How long a name may be, in bytes; 255 unless it is less. */
  readonly nameBytesMax?: number;
  /** How long the target of a symlink may be, in bytes; 4095 unless it is less. */
  readonly targetBytesMax?: number;
  /** How long the NAR may be, in bytes. A file that would not fit is refused before its contents come. */
  readonly narSizeMax?: number;
  /** Told once, when there are more than {@link NIX_DEPTH_MAX} directories inside each other. */
  readonly onDeep?: () => void;
}

/** One step through a NAR. `name` is that of the entry, empty for the root. Its bytes are the caller's. */
export type NarItem =
  | { readonly type: "directory"; readonly name: Uint8Array }
  /** The innermost open directory has no more entries. */
  | { readonly type: "directory-end" }
  | { readonly type: "symlink"; readonly name: Uint8Array; readonly target: Uint8Array }
  | NarFile;

export interface NarFile {
  readonly type: "file";
  readonly name: Uint8Array;
  readonly executable: boolean;
  /** Length of the contents in bytes. They come next, see `NarReader.read`. */
  readonly size: number;
  /** Where in the NAR the contents start. */
  readonly offset: number;
}

/** What comes next. */
type State =
  | "magic"
  | "node"
  | "size"
  | "contents"
  | "target"
  | "entry"
  | "name"
  | "node-keyword"
  | "node-end"
  | "entry-end"
  | "end";

const START = [MAGIC];
const NODES = [REGULAR, EXECUTABLE, SYMLINK, DIRECTORY];
const ENTRY_OR_END = [ENTRY, CLOSE];
const NODE_KEYWORD = [NODE];
const END = [CLOSE];
const NAMELESS = new Uint8Array(0);

/** Where in a NAR a reader is, and what the bytes at hand make of it. It waits for nothing. */
export class NarGrammar {
  readonly #tokens: TokenReader;
  readonly #depthMax: number;
  readonly #nameBytesMax: number;
  readonly #targetBytesMax: number;
  readonly #onDeep: () => void;

  #state: State = "magic";
  /** For each open directory the name of its last entry. */
  readonly #lastNames: Uint8Array[] = [];
  #name: Uint8Array = NAMELESS;
  #executable = false;
  #size = 0;
  /** Of the contents. */
  #restBytes = 0;
  #wasDeep = false;

  constructor(tokens: TokenReader, options: NarReaderOptions) {
    this.#tokens = tokens;
    this.#depthMax = options.depthMax ?? DEPTH_MAX;
    this.#nameBytesMax = Math.min(options.nameBytesMax ?? NAME_BYTES_MAX, NAME_BYTES_MAX);
    this.#targetBytesMax = Math.min(options.targetBytesMax ?? TARGET_BYTES_MAX, TARGET_BYTES_MAX);
    this.#onDeep = options.onDeep ?? (() => {});
  }

  /** Whether the contents of a file come next. */
  get isInContents(): boolean {
    return this.#state === "contents";
  }

  /** The next piece of the contents of a file; `undefined` when there are no more. */
  contents(): Uint8Array | undefined | typeof MORE {
    const piece =
      this.#restBytes > 0 ? this.#tokens.piece(this.#restBytes) : this.#tokens.padding(this.#size);
    if (piece === undefined) this.#state = "node-end";
    else if (piece !== MORE) this.#restBytes -= piece.length;
    return piece;
  }

  /** The contents of a file, none of which has been read, when they are here as a whole. */
  wholeContents(): Uint8Array | undefined {
    if (this.#restBytes !== this.#size) return undefined;
    const contents = this.#tokens.whole(this.#size);
    if (contents !== undefined) this.#state = "node-end";
    return contents;
  }

  /** Goes from state to state until there is something to tell; `undefined` at the end. */
  step(): NarItem | undefined | typeof MORE {
    for (;;) {
      switch (this.#state) {
        case "magic":
          if (this.#tokens.match(START) === MORE) return MORE;
          this.#state = "node";
          break;
        case "node": {
          const kind = this.#tokens.match(NODES);
          if (kind === MORE) return MORE;
          if (kind === DIRECTORY) return this.#enterDirectory();
          this.#executable = kind === EXECUTABLE;
          this.#state = kind === SYMLINK ? "target" : "size";
          break;
        }
        case "size":
          return this.#readSize();
        case "target": {
          const target = this.#tokens.string("target", this.#targetBytesMax, validateTarget);
          if (target === MORE) return MORE;
          this.#state = "node-end";
          return { type: "symlink", name: this.#name, target };
        }
        case "entry": {
          const found = this.#tokens.match(ENTRY_OR_END);
          if (found === MORE) return MORE;
          if (found === CLOSE) {
            this.#lastNames.pop();
            this.#leaveNode();
            return { type: "directory-end" };
          }
          this.#state = "name";
          break;
        }
        case "name": {
          const name = this.#tokens.string("name", this.#nameBytesMax, this.#checkName);
          if (name === MORE) return MORE;
          this.#name = name;
          this.#lastNames[this.#lastNames.length - 1] = name;
          this.#state = "node-keyword";
          break;
        }
        case "node-keyword":
          if (this.#tokens.match(NODE_KEYWORD) === MORE) return MORE;
          this.#state = "node";
          break;
        case "node-end":
          if (this.#tokens.match(END) === MORE) return MORE;
          this.#leaveNode();
          break;
        case "entry-end":
          if (this.#tokens.match(END) === MORE) return MORE;
          this.#state = "entry";
          break;
        case "contents":
        case "end":
          return undefined;
      }
    }
  }

  #leaveNode(): void {
    this.#state = this.#lastNames.length === 0 ? "end" : "entry-end";
  }

  #enterDirectory(): NarItem {
    const depth = this.#lastNames.length + 1;
    if (depth > this.#depthMax) {
      throw this.#tokens.invalid(`more than ${this.#depthMax} directories lie inside each other`);
    }
    if (depth > NIX_DEPTH_MAX && !this.#wasDeep) {
      this.#wasDeep = true;
      this.#onDeep();
    }
    this.#lastNames.push(NAMELESS);
    this.#state = "entry";
    return { type: "directory", name: this.#name };
  }

  #readSize(): NarFile | typeof MORE {
    const size = this.#tokens.length();
    if (size === MORE) return MORE;
    const frame = paddingBytes(size) + CLOSE.bytes.length;
    this.#tokens.allow(`a file of ${size} bytes`, size + BigInt(frame));
    this.#size = Number(size);
    this.#restBytes = this.#size;
    this.#state = "contents";
    return {
      type: "file",
      name: this.#name,
      executable: this.#executable,
      size: this.#size,
      offset: this.#tokens.position,
    };
  }

  readonly #checkName = (name: Uint8Array): void => {
    validateName(name);
    const last = this.#lastNames.at(-1) as Uint8Array;
    const order = compareBytes(last, name);
    if (order < 0) return;
    throw new StoreError(
      "invalid-argument",
      order === 0
        ? `duplicate name ${quoteBytes(name)}`
        : `wrong sorting: ${quoteBytes(name)} must come before ${quoteBytes(last)}`,
    );
  };
}
