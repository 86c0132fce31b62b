import { B3Digest } from "../../src/castore/digest.js";

/** The digest of no bytes: the empty blob, and also the empty directory. */
export const EMPTY_DIGEST: B3Digest = B3Digest.of(new Uint8Array(0));
