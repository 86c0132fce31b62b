/**
 * What is known of NARs without reading or rendering them.
 */
import type { Node } from "../../castore/node.js";
import type { NarRecord } from "../nar-record.js";
import type { NarHash } from "./hasher.js";

export interface NarRecords {
  /**
   * What the NAR with this SHA-256 (32 bytes) was said to hold, by a path info or by {@link remember}. Path
   * infos may be wrong, and the content may be gone: `findNarRoot` looks twice.
   *
   * @throws {StoreError} `corrupt` when the stored bytes are no record.
   */
  root(narSha256: Uint8Array): Promise<NarRecord | undefined>;

  /**
   * The NAR of `node`, as it was remembered; the content may be gone since.
   *
   * @throws {StoreError} `corrupt` when the stored bytes are no record.
   */
  hash(node: Node): Promise<NarHash | undefined>;

  /** Keeps what was calculated from the content itself, for both questions. Durable when it resolves. */
  remember(node: Node, hash: NarHash): Promise<void>;
}
