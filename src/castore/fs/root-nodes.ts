/**
 * What lies directly below the root of a mount: a name for each root node. A Nix store has one per store
 * path; what the names mean is not known here.
 */
import type { Node } from "../node.js";

export interface RootNodes {
  /** The node called `name`, byte for byte; `undefined` when there is none now. */
  lookup(name: Uint8Array): Node | undefined;

  /** Whether what is shown as `name` has been checked, or is only said to be so. */
  isVerified(name: Uint8Array): boolean;

  /**
   * All names there are now.
   *
   * @throws {StoreError} `permission-denied` when listing is off.
   */
  list(): readonly Uint8Array[];

  /** When a name last came or went, in milliseconds since the epoch. */
  changedAtMs(): number;
}
