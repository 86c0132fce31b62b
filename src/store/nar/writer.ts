/**
 * Writes NARs, the archive format whose SHA-256 identifies content in Nix:
 *
 *   nar       := "nix-archive-1" node
 *   node      := "(" "type" ( regular | symlink | directory ) ")"
 *   regular   := "regular" [ "executable" "" ] "contents" <bytes>
 *   symlink   := "symlink" "target" <bytes>
 *   directory := "directory" { entry }
 *   entry     := "entry" "(" "name" <bytes> "node" node ")"
 *
 * Every string is framed as in framing.ts. Entries are in strictly ascending byte order of their names.
 */
import { compareBytes, quoteBytes } from "../../base/bytes.js";
import { validateName, validateTarget } from "../../castore/path-component.js";
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

/** Takes the next bytes of the NAR. The writer does not change them afterwards. */
export type NarSink = (bytes: Uint8Array) => void;

/** Size of the pieces in which small parts are gathered for the sink. Contents that live shortly fit into one. */
export const PIECE_BYTES = 64 * 1024;
/** Contents of this length go to the sink as they are; copying costs more than one more call. */
const PASS_THROUGH_BYTES = 16 * 1024;

const ZEROS = Buffer.alloc(8);

type Expected =
  | "a node"
  | "contents"
  | "an entry or the end of the directory"
  | "the end of the entry"
  | "the end of the NAR"
  | "nothing";

/**
 * Writes one NAR, call by call. Calls that the grammar does not allow are `TypeError`s, and so are names
 * out of order. It keeps no bytes it was given: when a call returns they are copied, or, long contents
 * only, have gone to the sink as they are.
 */
export class NarWriter {
  readonly #sink: NarSink;
  #piece = Buffer.alloc(0);
  /** What lies in the piece from here to `#end` has not gone to the sink. */
  #start = 0;
  #end = 0;

  #expected: Expected = "a node";
  /** For each open directory the name of its last entry. */
  readonly #lastNames: Uint8Array[] = [];
  #contentsBytes = 0n;
  #remainingBytes = 0n;

  constructor(sink: NarSink) {
    this.#sink = sink;
    this.#append(MAGIC.bytes);
  }

  /** Starts a regular file; exactly `sizeBytes` of contents must follow. */
  startFile(sizeBytes: bigint, executable: boolean): void {
    this.#move("a node", "contents");
    this.#append((executable ? EXECUTABLE : REGULAR).bytes);
    this.#appendLength(sizeBytes);
    this.#contentsBytes = sizeBytes;
    this.#remainingBytes = sizeBytes;
  }

  /**
   * The next part of a file's contents. `isShortLived` says that `bytes` will change after this call, and have at
   * most {@link PIECE_BYTES}.
   *
   * @throws {RangeError} when the file grows longer than announced; nothing of `bytes` is written then.
   */
  write(bytes: Uint8Array, isShortLived = false): void {
    this.#move("contents", "contents");
    const rest = this.#remainingBytes - BigInt(bytes.length);
    if (rest < 0n) throw this.#wrongLength(`${-rest} bytes more`);
    this.#remainingBytes = rest;
    if (isShortLived || bytes.length < PASS_THROUGH_BYTES) {
      this.#append(bytes);
    } else {
      this.#flush();
      this.#sink(bytes);
    }
  }

  /** @throws {RangeError} when the contents are shorter than announced. */
  endFile(): void {
    if (this.#remainingBytes > 0n) throw this.#wrongLength(`${this.#remainingBytes} bytes less`);
    this.#move("contents", this.#afterNode());
    this.#appendPadding(this.#contentsBytes);
    this.#append(CLOSE.bytes);
  }

  /** @throws {StoreError} `invalid-argument` when the target is not valid. */
  symlink(target: Uint8Array): void {
    validateTarget(target);
    this.#move("a node", this.#afterNode());
    this.#append(SYMLINK.bytes);
    this.#appendString(target);
    this.#append(CLOSE.bytes);
  }

  startDirectory(): void {
    this.#move("a node", "an entry or the end of the directory");
    this.#append(DIRECTORY.bytes);
    this.#lastNames.push(new Uint8Array(0));
  }

  /**
   * Starts an entry of the innermost open directory; its node comes next.
   *
   * @throws {StoreError} `invalid-argument` when the name is not valid.
   */
  startEntry(name: Uint8Array): void {
    validateName(name);
    this.#move("an entry or the end of the directory", "a node");
    const last = this.#lastNames.pop() as Uint8Array;
    if (compareBytes(last, name) >= 0) {
      throw new TypeError(`NAR entry ${quoteBytes(name)} must sort after ${quoteBytes(last)}`);
    }
    this.#lastNames.push(Buffer.from(name));
    this.#append(ENTRY.bytes);
    this.#appendString(name);
    this.#append(NODE.bytes);
  }

  endEntry(): void {
    this.#move("the end of the entry", "an entry or the end of the directory");
    this.#append(CLOSE.bytes);
  }

  endDirectory(): void {
    this.#move("an entry or the end of the directory", "nothing");
    this.#lastNames.pop();
    this.#expected = this.#afterNode();
    this.#append(CLOSE.bytes);
  }

  /** Ends the NAR; the sink has all of it when this returns. */
  finish(): void {
    this.#move("the end of the NAR", "nothing");
    this.#flush();
  }

  #move(from: Expected, to: Expected): void {
    if (this.#expected !== from) {
      throw new TypeError(`A NAR writer that expects ${this.#expected} was given ${from}`);
    }
    this.#expected = to;
  }

  #afterNode(): Expected {
    return this.#lastNames.length === 0 ? "the end of the NAR" : "the end of the entry";
  }

  #wrongLength(difference: string): RangeError {
    return new RangeError(
      `A NAR file was announced with ${this.#contentsBytes} bytes and has ${difference}`,
    );
  }

  #appendString(bytes: Uint8Array): void {
    const length = BigInt(bytes.length);
    this.#appendLength(length);
    this.#append(bytes);
    this.#appendPadding(length);
  }

  #appendLength(length: bigint): void {
    this.#reserve(8);
    this.#end = this.#piece.writeBigUInt64LE(length, this.#end);
  }

  #appendPadding(length: bigint): void {
    this.#append(ZEROS.subarray(0, paddingBytes(length)));
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#piece.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Makes room for `count` bytes in one piece. What went to the sink is left alone: it may keep it. */
  #reserve(count: number): void {
    if (count <= this.#piece.length - this.#end) return;
    this.#flush();
    this.#piece = Buffer.allocUnsafe(PIECE_BYTES);
    this.#start = 0;
    this.#end = 0;
  }

  #flush(): void {
    if (this.#start === this.#end) return;
    this.#sink(this.#piece.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}
