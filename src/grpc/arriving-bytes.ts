/**
 * Memory for messages that are arriving. One may be large, and grpc-js gathers as many at a time as there are
 * calls: so many that they would take more than was set aside are refused.
 *
 * What counts is what the pieces keep from being freed. Node cuts the frames of all calls out of what it read
 * from their connection at once, so that a piece of one call keeps the pieces of others that were given up.
 */
import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { http2StreamOf } from "./http2-stream.js";
import { refuse } from "./refuse.js";

/** What a piece takes beside its bytes, which may be one. */
const PIECE_OVERHEAD_BYTES = 256;

/**
 * How many calls hold a read, noted on the read itself. With a `Map` that they come to and go from, V8 keeps them for
 * longer, collects all garbage seven times as often, and a blob takes a fifth more time to arrive.
 */
const HOLDERS = Symbol("holders");

/** What was read from a connection at once. */
type Read = ArrayBufferLike & { [HOLDERS]?: number };

export class ArrivingBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax for all calls together; what is put together from the pieces comes on top, once. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  readonly interceptor: ServerInterceptor = (_method, call) => {
    const stream = http2StreamOf(call);
    if (stream === undefined) return new ServerInterceptingCall(call);
    /** What pieces of this call were cut out of, in the order in which it was read. */
    const held: Read[] = [];
    let pieces = 0;
    let isWhole = false;
    const release = (kept: number): void => {
      const released = held.splice(0, held.length - kept);
      for (const read of released) this.#letGo(read);
      this.#bytes -= pieces * PIECE_OVERHEAD_BYTES;
      pieces = 0;
    };
    const onData = ({ buffer }: Buffer): void => {
      // grpc-js keeps the pieces of a message until the next one begins, which may be in the last of them.
      if (isWhole) release(1);
      isWhole = false;
      pieces++;
      this.#bytes += PIECE_OVERHEAD_BYTES;
      if (held.at(-1) !== buffer) {
        held.push(buffer);
        this.#hold(buffer);
      }
      if (this.#bytes <= this.#bytesMax) return;
      stream.off("data", onData);
      release(0);
      refuse(call, {
        code: status.RESOURCE_EXHAUSTED,
        details: "Too many large messages at once: try again when others have ended",
      });
    };
    stream.on("data", onData);
    stream.once("close", () => release(0));
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage: (message, proceed) => {
            isWhole = true;
            proceed(message);
          },
        }),
    });
  };

  #hold(read: Read): void {
    const holders = read[HOLDERS] ?? 0;
    read[HOLDERS] = holders + 1;
    if (holders === 0) this.#bytes += read.byteLength;
  }

  #letGo(read: Read): void {
    const holders = (read[HOLDERS] as number) - 1;
    read[HOLDERS] = holders;
    if (holders === 0) this.#bytes -= read.byteLength;
  }
}
