import { createHash } from "node:crypto";
import { type ForeignFunction, lazySystemLibrary } from "./system-library.js";

/** SHA-256 of much that comes in pieces. */
export interface BulkHash {
  /**
   * Takes the next bytes, which must not change until it resolves: then it is ready for more. Another thread is at
   * large pieces meanwhile.
   */
  update(bytes: Uint8Array): Promise<void>;
  /** 32 bytes, of everything so far. The hash is used up. */
  digest(): Uint8Array;
}

/** Fewer are hashed before another thread has heard of them. */
const ASIDE_BYTES_MIN = 128 * 1024;

/** `SHA256_CTX`, with room to spare. */
const STATE_BYTES = 256;
const DIGEST_BYTES = 32;

interface OpenSsl {
  readonly SHA256_Init: (state: Uint8Array) => number;
  readonly SHA256_Update: ForeignFunction<
    [state: Uint8Array, bytes: Uint8Array, length: number],
    number
  >;
  readonly SHA256_Final: (digest: Uint8Array, state: Uint8Array) => number;
}

const PROTOTYPES = {
  SHA256_Init: "int SHA256_Init(void *state)",
  SHA256_Update: "int SHA256_Update(void *state, void *bytes, size_t length)",
  SHA256_Final: "int SHA256_Final(void *digest, void *state)",
} as const;

const openSsl = lazySystemLibrary<OpenSsl>(null, PROTOTYPES);

/** With the OpenSSL that Node brings along; `portable`, or where it cannot be called, on this thread alone. */
export function bulkSha256({ portable = false } = {}): BulkHash {
  const library = portable ? undefined : openSsl();
  if (library !== undefined) return new AsideHash(library.functions);
  const hash = createHash("sha256");
  return { update: async (bytes) => void hash.update(bytes), digest: () => hash.digest() };
}

class AsideHash implements BulkHash {
  readonly #openSsl: OpenSsl;
  readonly #state = Buffer.alloc(STATE_BYTES);

  constructor(openSsl: OpenSsl) {
    this.#openSsl = openSsl;
    openSsl.SHA256_Init(this.#state);
  }

  async update(bytes: Uint8Array): Promise<void> {
    if (bytes.length < ASIDE_BYTES_MIN || !(await this.#updateAside(bytes))) {
      this.#openSsl.SHA256_Update(this.#state, bytes, bytes.length);
    }
  }

  digest(): Uint8Array {
    const digest = Buffer.alloc(DIGEST_BYTES);
    this.#openSsl.SHA256_Final(digest, this.#state);
    return digest;
  }

  /** Whether there was room beside all that is under way already. */
  #updateAside(bytes: Uint8Array): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const done = (error: unknown): void => (error ? reject(error) : resolve(true));
      try {
        this.#openSsl.SHA256_Update.async(this.#state, bytes, bytes.length, done);
      } catch {
        // The binding takes so many calls at once, and no more.
        resolve(false);
      }
    });
  }
}
