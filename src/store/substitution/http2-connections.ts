import type { ClientHttp2Session } from "node:http2";
import { isIP } from "node:net";
import { connect } from "node:tls";
import { untilAborted } from "../../base/abort.js";
import { require } from "../../base/require.js";
import { stalled, transportError } from "./http-failure.js";

/** What a server may send before we have taken it: the 64 KiB that HTTP/2 begins with are little for a long line. */
const WINDOW_BYTES = 8 * 1024 * 1024;

/** HTTP/2 to the servers that offer it in the TLS handshake: one connection to each, for any number of requests. */
export class Http2Connections {
  readonly #connectTimeoutMs: number;
  /** By origin: `undefined` for those that do not offer it. */
  readonly #sessions = new Map<string, Promise<ClientHttp2Session | undefined>>();
  #isClosed = false;

  constructor(connectTimeoutMs: number) {
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /**
   * A connection to the server of `url`, an https one; `undefined` when it speaks HTTP/1.1 only.
   *
   * @throws {StoreError} as requests.
   */
  async session(
    url: URL,
    signal: AbortSignal | undefined,
  ): Promise<ClientHttp2Session | undefined> {
    const opening = this.#sessions.get(url.origin) ?? this.#open(url);
    const session = await untilAborted(opening, signal);
    if (session === undefined || !(session.closed || session.destroyed)) return session;
    this.#forget(url, opening);
    return await this.session(url, signal);
  }

  /** Has the next requests open connections of their own; those that are there end with what is under way on them. */
  retire(): void {
    for (const opening of this.#sessions.values()) {
      opening.then((session) => session?.close()).catch(() => {});
    }
    this.#sessions.clear();
  }

  close(): void {
    this.#isClosed = true;
    for (const opening of this.#sessions.values()) {
      opening.then((session) => session?.destroy()).catch(() => {});
    }
  }

  #open(url: URL): Promise<ClientHttp2Session | undefined> {
    const opening = this.#connect(url);
    this.#sessions.set(url.origin, opening);
    // The next request tries again.
    opening.catch(() => this.#forget(url, opening));
    return opening;
  }

  #forget(url: URL, opening: Promise<unknown>): void {
    if (this.#sessions.get(url.origin) === opening) this.#sessions.delete(url.origin);
  }

  #connect(url: URL): Promise<ClientHttp2Session | undefined> {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    return new Promise((resolve, reject) => {
      const socket = connect({
        host,
        port: Number(url.port || 443),
        ...(isIP(host) === 0 ? { servername: host } : {}),
        ALPNProtocols: ["h2", "http/1.1"],
      });
      const timer = setTimeout(
        () => socket.destroy(stalled("no connection", this.#connectTimeoutMs)),
        this.#connectTimeoutMs,
      );
      const onError = (error: unknown): void => {
        clearTimeout(timer);
        reject(transportError(url, error));
      };
      socket.once("error", onError);
      socket.once("secureConnect", () => {
        clearTimeout(timer);
        if (socket.alpnProtocol !== "h2" || this.#isClosed) {
          socket.destroy();
          resolve(undefined);
          return;
        }
        // Most caches that are on this machine do without it.
        const http2 = require("node:http2") as typeof import("node:http2");
        const session = http2.connect(url.origin, {
          createConnection: () => socket,
          settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
        });
        session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
        // Told by the requests that are under way.
        session.on("error", () => {});
        // Who waits for an answer has a timer; an idle connection keeps no process.
        session.unref();
        socket.off("error", onError);
        resolve(session);
      });
    });
  }
}
