/**
 * One connection to a server, shared by the clients of all services there, and the three kinds of calls
 * they make.
 */
import {
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { abortError, throwIfAborted } from "../base/abort.js";
import { messageOf, StoreError } from "../base/errors.js";
import { type StallError, stall } from "./call-stall.js";
import type { ClientMethod } from "./client-method.js";
import { ATTEMPTS_MAX, isTransient, pauseAfter, retrying } from "./retry.js";
import { errorCodeOf } from "./status.js";
import { Upload } from "./upload.js";

/**
 * How much the server may send ahead. Downloads over loopback made 332 MB/s with HTTP/2's 64 KiB, 932 MB/s
 * with this, and no more with larger windows.
 */
const FLOW_CONTROL_WINDOW_BYTES = 1024 * 1024;
/** The largest message taken: a directory of several hundred thousand entries. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** How soon a lost connection is tried again, at first and at last: less than a call is repeated for. */
const RECONNECT_MS = 100;
const RECONNECT_MS_MAX = 500;
/** How long one question may take. */
const DEADLINE_MS = 30_000;
/** How long a stream may stand still while we wait for it. */
const STALL_MS = 30_000;
/**
 * After so long a call has the connection looked at, which may take as long again: a line that has gone dead, as after
 * a sleep of this machine, is given up before a question is, and the question asked on a new one.
 */
const PING_MS = 12_000;

export interface ClientIdentity {
  /** The only authorities whose certificates are believed, in PEM; those of Node unless told. */
  readonly authority?: Buffer | undefined;
  /** Shown to servers that ask for a certificate, in PEM. */
  readonly certificate?: { readonly chain: Buffer; readonly key: Buffer } | undefined;
  /** Sent with each call. */
  readonly token?: string | undefined;
}

export interface ChannelOptions {
  /** As the user gave it, for messages; without secrets. */
  readonly address: string;
  /** `host:port` or `unix:/path`. */
  readonly target: string;
  readonly tls: boolean;
  /** What the server is checked by and what it is shown. */
  readonly identity?: ClientIdentity;
  readonly deadlineMs?: number;
  readonly stallMs?: number;
  readonly pingMs?: number;
}

export interface CallOptions {
  /** Gives the call up. */
  readonly signal?: AbortSignal | undefined;
  /** For calls that take longer than a question: how long. */
  readonly deadlineMs?: number;
}

/** How the library words that a connection failed, around what it failed with. */
const NO_CONNECTION =
  /^No connection established\. Last error: (?:Error: )?(.*)\. Resolution note: .*$/s;

/** Calls fail with the `StoreError` their status stands for, or with `aborted` when their signal fires. */
export class Channel implements Disposable {
  readonly address: string;
  readonly #client: Client;
  readonly #deadlineMs: number;
  readonly #stallMs: number;
  readonly #token: string | undefined;

  /**
   * Connects with the first call.
   *
   * @throws {StoreError} `invalid-argument` when a certificate or key is none.
   */
  constructor(options: ChannelOptions) {
    const { address, target, tls, identity = {}, deadlineMs, stallMs, pingMs = PING_MS } = options;
    this.address = address;
    this.#token = identity.token;
    this.#deadlineMs = deadlineMs ?? DEADLINE_MS;
    this.#stallMs = stallMs ?? STALL_MS;
    this.#client = new Client(
      target,
      tls ? secure(address, identity) : credentials.createInsecure(),
      {
        "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
        "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
        "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
        "grpc.initial_reconnect_backoff_ms": RECONNECT_MS,
        "grpc.max_reconnect_backoff_ms": RECONNECT_MS_MAX,
        "grpc.keepalive_time_ms": pingMs,
        "grpc.keepalive_timeout_ms": pingMs,
        // Its retries keep a copy of what was sent; ours know what may be sent again.
        "grpc.enable_retries": 0,
      },
    );
  }

  /** Asks a question that may be asked twice. */
  ask<Request, Answer>(
    method: ClientMethod<Request, Answer>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Answer> {
    return retrying(() => this.#ask(method, request, options), options.signal);
  }

  /** The messages of a stream as they arrive. Tried again until the first has come, not after. */
  async *download<Request, Message>(
    method: ClientMethod<Request, Message>,
    request: Request,
    { signal }: CallOptions = {},
  ): AsyncGenerator<Message> {
    for (let attempt = 1; ; attempt++) {
      let hasBegun = false;
      try {
        for await (const message of this.#receive(method, request, signal)) {
          hasBegun = true;
          yield message;
        }
        return;
      } catch (error) {
        if (hasBegun || attempt === ATTEMPTS_MAX || !isTransient(error)) throw error;
      }
      await pauseAfter(attempt, signal);
    }
  }

  /** Starts a stream of messages towards the server, which answers once. */
  upload<Message, Answer>(
    method: ClientMethod<Message, Answer>,
    { signal }: CallOptions = {},
  ): Upload<Message, Answer> {
    return new Upload({
      client: this.#client,
      metadata: this.#metadata(),
      method,
      signal,
      stallMs: this.#stallMs,
      failure: (error) => this.#failure(method.path, error),
    });
  }

  /** Ends the connection, and the calls under way. */
  close(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ask<Request, Answer>(
    { path, requestSerialize, responseDeserialize }: ClientMethod<Request, Answer>,
    request: Request,
    { signal, deadlineMs = this.#deadlineMs }: CallOptions,
  ): Promise<Answer> {
    throwIfAborted(signal);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => call.cancel();
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata(),
        { deadline: Date.now() + deadlineMs },
        (error, answer) => {
          signal?.removeEventListener("abort", onAbort);
          if (error === null) resolve(answer as Answer);
          else reject(signal?.aborted ? abortError(signal) : this.#failure(path, error));
        },
      );
      signal?.addEventListener("abort", onAbort);
    });
  }

  async *#receive<Request, Message>(
    { path, requestSerialize, responseDeserialize }: ClientMethod<Request, Message>,
    request: Request,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Message> {
    throwIfAborted(signal);
    const call: ClientReadableStream<Message> = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      this.#metadata(),
    );
    // One that comes when nobody reads any more is of no interest.
    call.on("error", () => {});
    const onAbort = (): void => call.cancel();
    signal?.addEventListener("abort", onAbort);
    const messages = call[Symbol.asyncIterator]() as AsyncIterator<Message>;
    let isWaiting = false;
    let isStalled = false;
    const timer = setTimeout(() => {
      if (!isWaiting) return;
      isStalled = true;
      call.cancel();
    }, this.#stallMs);
    try {
      for (;;) {
        isWaiting = true;
        timer.refresh();
        const next = await messages.next();
        isWaiting = false;
        if (next.done) break;
        yield next.value;
      }
    } catch (error) {
      if (signal?.aborted) throw abortError(signal);
      if (isStalled) throw this.#failure(path, stall(this.#stallMs));
      throw this.#failure(path, error as ServiceError);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      call.cancel();
    }
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set("authorization", `Bearer ${this.#token}`);
    return metadata;
  }

  #failure(path: string, error: ServiceError | StallError): StoreError {
    const method = path.slice(path.lastIndexOf(".") + 1).replace("/", ".");
    const details = error.details.replace(NO_CONNECTION, "$1") || status[error.code] || error.code;
    return new StoreError(
      errorCodeOf(error.code),
      `${method} at ${this.address} failed: ${details}`,
      { cause: error },
    );
  }
}

function secure(address: string, { authority, certificate }: ClientIdentity): ChannelCredentials {
  try {
    return credentials.createSsl(authority, certificate?.key, certificate?.chain);
  } catch (cause) {
    throw new StoreError(
      "invalid-argument",
      `Cannot use the certificates for ${address}: ${messageOf(cause)}`,
      { cause },
    );
  }
}
