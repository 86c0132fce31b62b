/**
 * A stream of messages towards a server, which answers once when it has ended.
 */
import type { Client, ClientWritableStream, Metadata, ServiceError } from "@grpc/grpc-js";
import { abortError, throwIfAborted } from "../base/abort.js";
import type { StoreError } from "../base/errors.js";
import { onceCopied } from "./blob-chunk-codec.js";
import { type StallError, stall } from "./call-stall.js";
import type { ClientMethod } from "./client-method.js";

/** How much may be on its way to a slow server before `write` waits. */
const SEND_AHEAD_BYTES = 2 * 1024 * 1024;
const SEND_AHEAD_MESSAGES = 64;

export interface UploadOptions<Message, Answer> {
  readonly client: Client;
  readonly metadata: Metadata;
  readonly method: ClientMethod<Message, Answer>;
  readonly signal: AbortSignal | undefined;
  /** How long the server may take no message, or not answer after the last one. */
  readonly stallMs: number;
  /** What a failure of the call is to the caller. */
  readonly failure: (error: ServiceError | StallError) => StoreError;
}

/** Begins with the first message. */
export class Upload<Message, Answer> {
  readonly #options: UploadOptions<Message, Answer>;
  readonly #answer: Promise<Answer>;
  readonly #call: ClientWritableStream<Buffer>;
  #isEnding = false;
  #isOver = false;
  #failed = false;
  #waitingBytes = 0;
  #waitingMessages = 0;
  #wake = new Set<() => void>();
  #isStalled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: UploadOptions<Message, Answer>) {
    const { client, metadata, method, signal, stallMs, failure } = options;
    this.#options = options;
    throwIfAborted(signal);
    let settle = (_error: ServiceError | null, _answer?: Answer): void => {};
    this.#answer = new Promise((resolve, reject) => {
      settle = (error, answer) => {
        if (error === null) resolve(answer as Answer);
        else if (signal?.aborted) reject(abortError(signal));
        else reject(failure(this.#isStalled ? stall(stallMs) : error));
      };
    });
    this.#call = client.makeClientStreamRequest(
      method.path,
      (message: Buffer) => message,
      method.responseDeserialize,
      metadata,
      {},
      settle,
    );
    this.#call.on("error", () => {});
    const onAbort = (): void => this.#call.cancel();
    signal?.addEventListener("abort", onAbort);
    const over = (): void => {
      this.#isOver = true;
      signal?.removeEventListener("abort", onAbort);
      clearTimeout(this.#timer);
      this.#wakeAll();
    };
    this.#answer.then(over, () => {
      this.#failed = true;
      over();
    });
  }

  /**
   * Sends a message, whose memory is free again when it resolves. Waits while the server is slow.
   *
   * @throws {StoreError} what the server said, when it ended the call.
   */
  async write(message: Message): Promise<void> {
    if (this.#failed) await this.#answer;
    const bytes = this.#options.method.requestSerialize(message);
    let isCopied = false;
    onceCopied(bytes, () => {
      isCopied = true;
      this.#wakeAll();
    });
    this.#waitingBytes += bytes.length;
    this.#waitingMessages++;
    this.#watch();
    this.#call.write(bytes, () => {
      this.#waitingBytes -= bytes.length;
      this.#waitingMessages--;
      this.#watch();
      this.#wakeAll();
    });
    while (
      !this.#isOver &&
      (!isCopied ||
        this.#waitingBytes > SEND_AHEAD_BYTES ||
        this.#waitingMessages > SEND_AHEAD_MESSAGES)
    ) {
      await new Promise<void>((resolve) => this.#wake.add(resolve));
    }
    if (this.#failed) await this.#answer;
  }

  /** Ends the stream; the server's answer. */
  async finish(): Promise<Answer> {
    this.#isEnding = true;
    this.#watch();
    this.#call.end();
    return await this.#answer;
  }

  /** Gives the call up, unless it is over. */
  cancel(): void {
    this.#call.cancel();
  }

  /** Starts the time anew in which something has to move, while that is for the server to do. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#waitingMessages === 0 && !this.#isEnding) return;
    this.#timer = setTimeout(() => {
      this.#isStalled = true;
      this.#call.cancel();
    }, this.#options.stallMs);
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = new Set();
    for (const wake of waiting) wake();
  }
}
