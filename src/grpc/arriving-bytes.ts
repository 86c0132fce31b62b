/**
 * Memory for messages that are arriving. One may be large, and grpc-js gathers as many at a time as there are
 * calls: so many that they would take more than was set aside are refused.
 */
import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { http2StreamOf } from "./http2-stream.js";
import { refuse } from "./refuse.js";

export class ArrivingBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax for all calls together. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  readonly interceptor: ServerInterceptor = (_method, call) => {
    const stream = http2StreamOf(call);
    if (stream === undefined) return new ServerInterceptingCall(call);
    /** Of the message that is arriving, and of the one before while its handler has it. */
    let arriving = 0;
    let delivered = 0;
    const release = (): void => {
      this.#bytes -= arriving + delivered;
      arriving = delivered = 0;
    };
    const onData = (chunk: Buffer): void => {
      // More is read when the handler asks for it: it is done with what it had.
      this.#bytes += chunk.length - delivered;
      delivered = 0;
      arriving += chunk.length;
      if (this.#bytes <= this.#bytesMax) return;
      stream.off("data", onData);
      release();
      refuse(call, {
        code: status.RESOURCE_EXHAUSTED,
        details: "Too many large messages at once: try again when others have ended",
      });
    };
    stream.on("data", onData);
    stream.once("close", release);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage: (message, proceed) => {
            // Several may have come in one chunk, which is not done with before the last of them.
            delivered += arriving;
            arriving = 0;
            proceed(message);
          },
        }),
    });
  };
}
