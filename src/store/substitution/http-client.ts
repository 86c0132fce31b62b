/**
 * GET requests over HTTP/1.1 with connections that are kept, limits in time, and redirects.
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
import { HttpFailure, transportError } from "./http-failure.js";
import type { Netrc } from "./netrc.js";

const REDIRECTS_MAX = 10;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);
/** An answer nobody wants is read to its end when it is short: that is cheaper than a new connection. */
const DRAINED_BYTES_MAX = 64 * 1024;

export interface HttpClientOptions {
  /** Connections to one server. More requests wait for one. */
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

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const agent = {
      keepAlive: true,
      maxSockets: options.connectionsMax,
      scheduling: "lifo",
    } as const;
    this.#http = new HttpAgent(agent);
    this.#https = new HttpsAgent(agent);
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
  }

  #request(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    throwIfAborted(signal);
    const { connectTimeoutMs, stallTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const isSecure = url.protocol === "https:";
      const start = isSecure ? httpsRequest : httpRequest;
      const request: ClientRequest = start(url, {
        agent: isSecure ? this.#https : this.#http,
        headers: { "User-Agent": "tvix-store", Accept: "*/*", ...this.#login(url), ...headers },
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
          body: () => bodyOf(url, response, stallTimeoutMs, signal),
          discard: () => discard(response),
        });
      });
      request.end();
    });
  }

  #login(url: URL): Record<string, string> {
    const found = this.#options.netrc?.find(url.hostname);
    if (found === undefined) return {};
    const token = Buffer.from(`${found.login}:${found.password}`).toString("base64");
    return { Authorization: `Basic ${token}` };
  }
}

async function* bodyOf(
  url: URL,
  response: IncomingMessage,
  stallTimeoutMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const onAbort = (): void => void response.destroy(signal && abortError(signal));
  signal?.addEventListener("abort", onAbort);
  const pieces: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]();
  try {
    if (signal?.aborted) onAbort();
    for (;;) {
      // Runs only while we wait: a slow disk on our side is no stall of theirs.
      const timer = setTimeout(
        () => response.destroy(stalled("nothing came", stallTimeoutMs)),
        stallTimeoutMs,
      );
      const { done, value } = await pieces.next().finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : transportError(url, error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    if (!response.complete) response.destroy();
  }
}

function stalled(what: string, timeoutMs: number): HttpFailure {
  return new HttpFailure("stall", `${what} for ${timeoutMs / 1000} s`);
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
