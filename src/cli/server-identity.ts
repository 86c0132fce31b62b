/**
 * What a server shows to clients and asks of them: certificates and tokens, from files that may change.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { TlsIdentity } from "../grpc/tls-acceptor.js";
import { TokenTable } from "../grpc/token-table.js";
import { readIdentityFile, readSecretFile } from "./identity-file.js";
import type { ServingArguments } from "./serving-options.js";
import { UsageError } from "./usage-error.js";

type Arguments = Pick<ServingArguments, "tlsCert" | "tlsKey" | "tlsClientCa" | "tokens">;

interface Contents {
  readonly certificate: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly clientAuthority: Buffer | undefined;
  readonly tokens: Buffer | undefined;
}

export interface ServerIdentity {
  readonly tls: TlsIdentity | undefined;
  readonly tokens: TokenTable | undefined;
}

/** How often the files are looked at. */
const WATCH_MS = 30_000;

export class ServerIdentityFiles {
  readonly #files: Arguments;
  #contents: Contents;

  /**
   * Finds and reads the files.
   *
   * @throws {UsageError} when some are given that are of no use without others.
   * @throws {StoreError} when one cannot be read, or may be read by everybody.
   */
  constructor(given: Arguments, credentialsFolder: string | undefined) {
    const file = (path: string | undefined, name: string): string | undefined => {
      if (path !== undefined || credentialsFolder === undefined) return path;
      const credential = join(credentialsFolder, name);
      return existsSync(credential) ? credential : undefined;
    };
    this.#files = {
      tlsCert: file(given.tlsCert, "tls-cert"),
      tlsKey: file(given.tlsKey, "tls-key"),
      tlsClientCa: file(given.tlsClientCa, "tls-client-ca"),
      tokens: file(given.tokens, "tokens"),
    };
    const { tlsCert, tlsKey, tlsClientCa } = this.#files;
    if ((tlsCert === undefined) !== (tlsKey === undefined)) {
      throw new UsageError("--tls-cert and --tls-key go together");
    }
    if (tlsClientCa !== undefined && tlsCert === undefined) {
      throw new UsageError("--tls-client-ca needs --tls-cert and --tls-key");
    }
    this.#contents = this.#read();
  }

  /** @throws {StoreError} `invalid-argument` when the tokens are none. */
  get identity(): ServerIdentity {
    const { certificate, key, clientAuthority, tokens } = this.#contents;
    return {
      tls: certificate && key && { certificate, key, clientAuthority },
      tokens: tokens && TokenTable.parse(tokens.toString(), this.#files.tokens ?? "tokens"),
    };
  }

  /**
   * Calls `renew` when the files have changed, until it is stopped. What is of no use is logged, and what
   * was there before stays.
   */
  watch(renew: (identity: ServerIdentity) => void, log: Logger, everyMs = WATCH_MS): Disposable {
    const look = (): void => {
      const before = this.#contents;
      try {
        this.#contents = this.#read();
        if (isSame(before, this.#contents)) return;
        renew(this.identity);
        log.info({}, "certificates and tokens were read again");
      } catch (error) {
        this.#contents = before;
        log.error({ error: messageOf(error) }, "changed certificates or tokens are not used");
      }
    };
    const timer = setInterval(look, everyMs).unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  #read(): Contents {
    const { tlsCert, tlsKey, tlsClientCa, tokens } = this.#files;
    return {
      certificate: tlsCert === undefined ? undefined : readIdentityFile(tlsCert),
      key: tlsKey === undefined ? undefined : readSecretFile(tlsKey),
      clientAuthority: tlsClientCa === undefined ? undefined : readIdentityFile(tlsClientCa),
      tokens: tokens === undefined ? undefined : readSecretFile(tokens),
    };
  }
}

function isSame(a: Contents, b: Contents): boolean {
  return (["certificate", "key", "clientAuthority", "tokens"] as const).every(
    (name) => a[name]?.equals(b[name] ?? Buffer.alloc(0)) ?? b[name] === undefined,
  );
}
