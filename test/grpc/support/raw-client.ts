/**
 * A gRPC client that knows no messages: bytes out, bytes in, by the path of the method.
 */
import {
  Client,
  type ClientOptions,
  type ClientWritableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

export interface RawAnswer {
  /** The name of the status: `"OK"`. */
  readonly status: string;
  readonly details: string;
  readonly messages: readonly Buffer[];
}

const identity = (bytes: Buffer): Buffer => bytes;

export class RawClient {
  readonly client: Client;
  readonly #metadata = new Metadata();

  constructor(target: string, options: ClientOptions = {}, token?: string) {
    if (token !== undefined) this.#metadata.set("authorization", `Bearer ${token}`);
    this.client = new Client(target, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  close(): void {
    this.client.close();
  }

  /** One message in. The rest are taken as they come, so it serves streams of answers as well. */
  call(path: string, request: Uint8Array, deadlineMs = 20_000): Promise<RawAnswer> {
    const stream = this.client.makeServerStreamRequest(
      path,
      identity,
      identity,
      Buffer.from(request),
      this.#metadata.clone(),
      { deadline: Date.now() + deadlineMs },
    );
    return new Promise((resolve) => {
      const messages: Buffer[] = [];
      stream.on("data", (message: Buffer) => messages.push(message));
      stream.on("error", (error: ServiceError) => resolve(answer(error, messages)));
      stream.on("end", () => resolve({ status: "OK", details: "", messages }));
    });
  }

  /** Many messages in, one out. */
  async upload(path: string, requests: Iterable<Uint8Array>): Promise<RawAnswer> {
    const { stream, done } = this.startUpload(path);
    let answered = false;
    const ended = done.then(() => {
      answered = true;
    });
    for (const request of requests) {
      // Once it is answered the rest is not wanted, and writing would wait for ever.
      const written = new Promise<void>((resolve) =>
        stream.write(Buffer.from(request), () => resolve()),
      );
      await Promise.race([written, ended]);
      if (answered) break;
    }
    stream.end();
    return await done;
  }

  /** An upload that goes on until its stream is ended or cancelled. */
  startUpload(
    path: string,
    deadlineMs = 60_000,
  ): { stream: ClientWritableStream<Buffer>; done: Promise<RawAnswer> } {
    let finish: (answer: RawAnswer) => void = () => {};
    const done = new Promise<RawAnswer>((resolve) => {
      finish = resolve;
    });
    const stream = this.client.makeClientStreamRequest<Buffer, Buffer>(
      path,
      identity,
      identity,
      this.#metadata.clone(),
      { deadline: Date.now() + deadlineMs },
      (error, message) => {
        if (error) finish(answer(error, []));
        else finish({ status: "OK", details: "", messages: message ? [message] : [] });
      },
    );
    stream.on("error", () => {});
    return { stream, done };
  }
}

function answer(error: ServiceError, messages: readonly Buffer[]): RawAnswer {
  return { status: status[error.code] ?? String(error.code), details: error.details, messages };
}
