/**
 * GET requests with connections that are kept, limits in time, and redirects: over HTTP/2 where a server offers
 * it, else over HTTP/1.1.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { abortError, throwIfAborted } from "../../base/abort.js";
import { HttpFailure, stalled, transportError } from "./http-failure.js";
import { Http2Connections } from "./http2-connections.js";
import { requestOverHttp2 } from "./http2-request.js";
import type { Netrc } from "./netrc.js";
import { type BodySource, timedBody } from "./timed-body.js";

const REDIRECTS_MAX = 10;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);
/**
 * A connection that was idle for longer is not used again. What lies between forgets it without a word, and after a
 * sleep of this machine it leads nowhere: the next request would wait out the stall limit.
 */
const IDLE_MS_MAX = 60_000;
/** An answer nobody wants is read to its end when it is short: that is cheaper than a new connection. */
const DRAINED_BYTES_MAX = 64 * 1024;

export interface HttpClientOptions {
  /** Connections to one server over HTTP/1.1. More requests wait for one. */
  readonly connectionsMax: number;
  /** How long it may take to be connected, with TLS. */
  readonly connectTimeoutMs: number;
  /** How long a server may send nothing while we wait for it. */
  readonly stallTimeoutMs: number;
  readonly netrc?: Netrc | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from, after redirects. */
  readonly url: URL;
  /** The body, once. Fails with `unavailable` when it does not come to its end. */
  body(): AsyncGenerator<Uint8Array>;
  /** For a body that is not wanted. */
  discard(): void;
}

/** Requests fail with `unavailable`, their cause an `HttpFailure`, or with `aborted`. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #http2: Http2Connections;
  /** By the clock on the wall, which goes on while the machine sleeps. */
  #lastUsedMs = 0;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const agent = {
      keepAlive: true,
      maxSockets: options.connectionsMax,
      scheduling: "lifo",
    } as const;
    this.#http = new HttpAgent(agent);
    this.#https = new HttpsAgent(agent);
    this.#http2 = new Http2Connections(options.connectTimeoutMs);
  }

  /** Whatever the status, unless it is a redirect. */
  async get(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    let place = url;
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const answer = await this.#request(place, headers, signal);
      const { location } = answer.headers;
      if (!REDIRECT_STATUSES.has(answer.status) || location === undefined) return answer;
      answer.discard();
      place = redirected(place, location);
    }
    const why = `more than ${REDIRECTS_MAX} redirects`;
    throw transportError(url, new HttpFailure("final", why));
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
    this.#http2.close();
  }

  #letGoOfIdle(): void {
    const agents = [this.#http, this.#https];
    const idle = agents.flatMap(({ freeSockets }) => Object.values(freeSockets).flat());
    for (const socket of idle) socket?.destroy();
    this.#http2.retire();
  }

  async #request(
    url: URL,
    given: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    throwIfAborted(signal);
    const nowMs = Date.now();
    if (nowMs - this.#lastUsedMs > IDLE_MS_MAX) this.#letGoOfIdle();
    this.#lastUsedMs = nowMs;
    const headers = { "User-Agent": "tvix-store", Accept: "*/*", ...this.#login(url), ...given };
    const session = url.protocol === "https:" ? await this.#http2.session(url, signal) : undefined;
    if (session === undefined) return await this.#requestOverHttp1(url, headers, signal);
    const { stallTimeoutMs } = this.#options;
    return await requestOverHttp2(session, url, { headers, stallTimeoutMs, signal });
  }

  #requestOverHttp1(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    const { connectTimeoutMs, stallTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const isSecure = url.protocol === "https:";
      const start = isSecure ? httpsRequest : httpRequest;
      const request: ClientRequest = start(url, {
        agent: isSecure ? this.#https : this.#http,
        headers,
      });
      let timer: NodeJS.Timeout | undefined;
      const limit = (timeoutMs: number, what: string): void => {
        clearTimeout(timer);
        timer = setTimeout(() => request.destroy(stalled(what, timeoutMs)), timeoutMs);
      };
      const onAbort = (): void => void request.destroy();
      signal?.addEventListener("abort", onAbort);
      request.on("socket", (socket) => {
        const onConnected = () => limit(stallTimeoutMs, "no answer");
        if (!socket.connecting) return onConnected();
        limit(connectTimeoutMs, "no connection");
        socket.once(isSecure ? "secureConnect" : "connect", onConnected);
      });
      // One that comes after the answer is told by its body.
      request.on("error", (error) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        reject(signal?.aborted ? abortError(signal) : transportError(url, error));
      });
      request.on("response", (response) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        // Told by the body; without this listener it would end the process while nobody reads.
        response.on("error", () => {});
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          url,
          body: () => timedBody(url, sourceOf(response), { stallTimeoutMs, signal }),
          discard: () => discard(response),
        });
      });
      request.end();
    });
  }

  #login(url: URL): Record<string, string> {
    const found = this.#options.netrc?.find(url.hostname);
    if (found === undefined || `${found.login}${found.password}` === "") return {};
    const token = Buffer.from(`${found.login}:${found.password}`).toString("base64");
    return { Authorization: `Basic ${token}` };
  }
}

function sourceOf(response: IncomingMessage): BodySource {
  return {
    destroy: (error) => response.destroy(error),
    isComplete: () => response.complete,
    [Symbol.asyncIterator]: () => response[Symbol.asyncIterator](),
  };
}

function discard(response: IncomingMessage): void {
  const length = Number(response.headers["content-length"] ?? Number.POSITIVE_INFINITY);
  if (length <= DRAINED_BYTES_MAX) response.resume();
  else response.destroy();
}

function redirected(from: URL, location: string): URL {
  let to: URL;
  try {
    to = new URL(location, from);
  } catch {
    throw transportError(from, new HttpFailure("final", "it redirects to what is no URL"));
  }
  const isAllowed =
    to.protocol === "https:" || (to.protocol === "http:" && from.protocol === "http:");
  if (isAllowed && to.username === "" && to.password === "") return to;
  throw transportError(
    from,
    new HttpFailure(
      "final",
      `it redirects to a ${to.protocol.slice(0, -1)} address of another kind`,
    ),
  );
}
