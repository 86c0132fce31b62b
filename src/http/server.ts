/**
 * The HTTP server: from connections to requests, from requests to replies.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep, setImmediate as untilAllAreRead } from "node:timers/promises";
import { messageOf, StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import { NarCalculator } from "../store/nar/calculation.js";
import { SigningPathInfoService } from "../store/path-info/signing.js";
import type { PublicKey } from "../store/signature/public-key.js";
import type { SecretKey } from "../store/signature/secret-key.js";
import { Access, type Tokens } from "./access.js";
import { CacheFileHandlers } from "./cache-file-handlers.js";
import { DownloadHandlers } from "./download-handlers.js";
import { Encoders } from "./encoders.js";
import { failureReply } from "./failure-reply.js";
import { Pages } from "./pages/pages.js";
import { ReceivedRequest } from "./received-request.js";
import type { Reply } from "./reply.js";
import { Responder } from "./representation.js";
import { tooLong } from "./request-body.js";
import { type Handlers, methodRefused, type Route, routeOf } from "./routes.js";
import { sendReply } from "./send-reply.js";
import type { CacheServices } from "./services.js";
import { UploadHandlers } from "./upload-handlers.js";
import type { UploadRecords } from "./upload-records.js";

/** The request line and all headers. Longer ones are answered with 431. */
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MS_MAX = 20_000;
/** A connection without a request is kept for the next one. */
const KEEP_ALIVE_MS = 75_000;
/** A client that neither sends nor takes anything for so long is gone, unless it waits for us. */
const IDLE_MS = 120_000;
const BODY_STALL_MS = 30_000;
/** How long a client may go on sending a body that was refused, so that it finds the answer. */
const LINGER_MS = 2_000;

const PRIORITY_DEFAULT = 40;

/** One request that is over. */
export type RequestRecord = {
  readonly method: string;
  readonly path: string;
  /** The name of the route, of which there are few; `none` when it was not looked for. */
  readonly route: string;
  readonly status: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly durationMs: number;
  readonly peer: string;
  /** Whose token it was. */
  readonly caller: string | undefined;
  readonly agent: string | undefined;
};

export interface HttpServerOptions {
  readonly services: CacheServices;
  readonly log: Logger;
  /** Where uploads are remembered; without it there are none. */
  readonly uploads?: UploadRecords | undefined;
  readonly allowUpload?: boolean;
  readonly tokens?: Tokens | undefined;
  /** Signs what is uploaded. */
  readonly secretKey?: SecretKey | undefined;
  /** For people to put into their nix.conf. */
  readonly publicKeys?: readonly PublicKey[];
  readonly priority?: number;
  /** When an upload of which nothing comes is given up; after half a minute unless told. */
  readonly bodyStallMs?: number;
  /** When a client that does not take what it asked for is given up; after two minutes unless told. */
  readonly idleMs?: number;
  readonly onRequest?: (record: RequestRecord) => void;
}

export class HttpServer {
  readonly #server: Server;
  readonly #access: Access;
  readonly #handlers: Handlers;
  readonly #log: Logger;
  readonly #bodyStallMs: number;
  readonly #onRequest: ((record: RequestRecord) => void) | undefined;
  /** The connections, each with how many of its requests are under way. */
  readonly #sockets = new Map<Socket, number>();
  /** Connections with a request that we have not begun to answer. */
  readonly #waiting = new Set<Socket>();
  #running = 0;
  #onIdle = (): void => {};
  #isStopping = false;

  constructor(options: HttpServerOptions) {
    const { services, log, uploads, secretKey } = options;
    this.#log = log;
    this.#onRequest = options.onRequest;
    this.#bodyStallMs = options.bodyStallMs ?? BODY_STALL_MS;
    this.#access = new Access({
      allowUpload: options.allowUpload ?? false,
      tokens: options.tokens,
    });
    const encoders = new Encoders();
    const responder = new Responder(encoders, () => this.#access.tokens === undefined);
    const calculator = new NarCalculator(services, services.nars);
    const pathInfos = secretKey
      ? new SigningPathInfoService(services.pathInfos, secretKey)
      : services.pathInfos;
    const priority = options.priority ?? PRIORITY_DEFAULT;
    const publicKeys = options.publicKeys ?? (secretKey ? [secretKey.publicKey] : []);
    this.#handlers = {
      downloads: new DownloadHandlers({
        services,
        responder,
        encoders,
        calculator,
        uploads,
        priority,
      }),
      files: new CacheFileHandlers({ services, responder, uploads }),
      uploads: new UploadHandlers({ services: { ...services, pathInfos }, calculator, uploads }),
      pages: new Pages({
        services,
        responder,
        terms: () => ({
          publicKeys,
          takesUploads: options.allowUpload ?? false,
          asksForToken: this.#access.tokens !== undefined,
        }),
      }),
    };
    this.#server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: HEADERS_MS_MAX,
        // A large upload may take hours; the pace of its body is watched instead.
        requestTimeout: 0,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: 5_000,
      },
      (request, response) => void this.#serve(request, response, false),
    );
    this.#server.timeout = options.idleMs ?? IDLE_MS;
    this.#server.on("timeout", (socket: Socket) => {
      if (!this.#waiting.has(socket)) socket.destroy();
    });
    this.#server.on("checkContinue", (request, response) => {
      void this.#serve(request, response, true);
    });
    this.#server.on("clientError", (error: Error & { code?: string }, socket: Socket) => {
      refuseMalformed(error, socket);
    });
    // The checks of slow headers begin when a server listens; ours is handed its connections.
    this.#server.emit("listening");
  }

  /** Takes over a connection that was just made, over TCP, TLS or a unix socket. */
  accept(socket: Socket): void {
    socket.on("error", () => {});
    this.#sockets.set(socket, 0);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#server.emit("connection", socket);
  }

  /** Requests that begin from now on take one of these tokens. */
  set tokens(tokens: Tokens) {
    this.#access.tokens = tokens;
  }

  /** How many requests and connections there are. */
  get load(): { readonly requests: number; readonly connections: number } {
    return { requests: this.#running, connections: this.#sockets.size };
  }

  /** Lets requests under way end within `drainMs`, and cuts off the rest. Listeners are closed before. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true;
    // Node's own closing would take connections for idle whose replies have ended, but are not sent yet.
    for (const [socket, requests] of this.#sockets) if (requests === 0) socket.destroy();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#running === 0) resolve();
    });
    const timer = new AbortController();
    const limit = sleep(drainMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([idle, limit]);
    timer.abort();
    for (const socket of this.#sockets.keys()) socket.destroy();
    // Not listening itself, it has nothing left to close but the timer of its checks.
    this.#server.close(() => {});
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): Promise<void> {
    const { socket } = request;
    this.#count(socket, 1);
    const started = performance.now();
    const peer = socket.remoteAddress ?? "unix";
    const receivedBefore = socket.bytesRead;
    const received = new ReceivedRequest(request, response, this.#bodyStallMs);
    if (this.#isStopping) response.setHeader("connection", "close");
    let sentBytes = 0;
    let route = "none";
    const onRoute = ({ name }: Route): void => {
      route = name;
    };
    this.#waiting.add(socket);
    try {
      const reply = await this.#replyTo(received, response, expectsContinue, onRoute);
      this.#waiting.delete(socket);
      // The replies to requests that came together leave together: to wake a client costs more than a small reply.
      await untilAllAreRead();
      const rest = unreadBody(request);
      if (rest !== undefined) response.setHeader("connection", "close");
      sentBytes = await sendReply(reply, received, response, rest);
    } catch (error) {
      // The headers are out: all there is left to say is that this is not the whole.
      if (!received.isGone) {
        this.#log.error({ path: received.path, error: messageOf(error) }, "a reply was cut off");
      }
      socket.destroy();
    } finally {
      this.#waiting.delete(socket);
      // The end of what was sent may still be here, waiting for a slow client.
      if (response.closed || response.writableFinished) this.#count(socket, -1);
      else response.once("close", () => this.#count(socket, -1));
    }
    this.#onRequest?.({
      method: received.method,
      path: received.path,
      route,
      status: response.statusCode,
      sentBytes,
      receivedBytes: Math.max(socket.bytesRead - receivedBefore, 0),
      durationMs: Math.round((performance.now() - started) * 1000) / 1000,
      peer,
      caller: received.caller?.name,
      agent: request.headers["user-agent"],
    });
  }

  /** A request on `socket` has begun (1), or is over (-1). */
  #count(socket: Socket, more: 1 | -1): void {
    const requests = this.#sockets.get(socket);
    // A connection that is closed is no longer there.
    if (requests !== undefined) this.#sockets.set(socket, requests + more);
    this.#running += more;
    if (this.#running === 0) this.#onIdle();
  }

  /** The reply to `received`; whatever goes wrong is one too. */
  async #replyTo(
    received: ReceivedRequest,
    response: ServerResponse,
    expectsContinue: boolean,
    onRoute: (route: Route) => void,
  ): Promise<Reply> {
    const { headers, method } = received;
    const isUpload = method === "PUT";
    try {
      received.caller = this.#access.callerOf(headers);
      const refusal = this.#access.refusal(isUpload ? "write" : "read", received);
      if (refusal !== undefined) return refusal;
      const route = routeOf(received, this.#handlers);
      onRoute(route);
      const put = isUpload ? route.put : undefined;
      if (put !== undefined) {
        checkBody(headers, put.bytesMax);
        received.bodyBytesMax = put.bytesMax;
      }
      const handle = put?.handle ?? (isReading(method) ? route.get : undefined);
      if (handle === undefined) return methodRefused(route);
      if (expectsContinue) response.writeContinue();
      return await handle(received);
    } catch (error) {
      const reply = failureReply(error, isUpload);
      if (reply.status >= 500 || reply.status === 409) {
        const fields = { path: received.path, status: reply.status, error: messageOf(error) };
        if (!received.isGone) this.#log.warn(fields, "a request failed");
      }
      return reply;
    }
  }
}

function isReading(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** @throws {StoreError} before the body is asked for, when its headers say that it will not do. */
function checkBody(headers: IncomingMessage["headers"], bytesMax: number): void {
  if (Number(headers["content-length"] ?? 0) > bytesMax) throw tooLong(bytesMax);
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new StoreError("unsupported", "Uploads with a Content-Encoding are not taken");
  }
  if (headers["content-range"] !== undefined) {
    throw new StoreError("unsupported", "Uploads in parts are not taken");
  }
}

/**
 * Drops what is left of a body that nobody reads: with unread bytes, closing a connection would destroy the answer on
 * its way to the client. `undefined` when nothing is left, else when it is over or was waited for long enough.
 */
function unreadBody(request: IncomingMessage): Promise<void> | undefined {
  if (request.complete || request.destroyed) return undefined;
  const { headers } = request;
  const hasBody = Number(headers["content-length"] ?? 0) > 0 || "transfer-encoding" in headers;
  if (!hasBody) return undefined;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.on("error", done).once("end", done).once("close", done).resume();
  });
}

/** What never became a request. */
function refuseMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  const body = status === 431 ? "The headers are too long\n" : "This is no HTTP request\n";
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}
