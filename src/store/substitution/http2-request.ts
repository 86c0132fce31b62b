import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { abortError, throwIfAborted } from "../../base/abort.js";
import type { HttpAnswer } from "./http-client.js";
import { HttpFailure, stalled, transportError } from "./http-failure.js";
import { type BodySource, timedBody } from "./timed-body.js";

export interface Http2RequestOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A GET request as one stream of `session`. Fails as those over HTTP/1.1. */
export function requestOverHttp2(
  session: ClientHttp2Session,
  url: URL,
  { headers, stallTimeoutMs, signal }: Http2RequestOptions,
): Promise<HttpAnswer> {
  throwIfAborted(signal);
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": url.pathname + url.search, ...headers });
    const destroy = (error?: Error): void => {
      // The line may be dead: others that are waiting may wait, but the next ones get a new one.
      if (error instanceof HttpFailure) session.close();
      stream.destroy(error);
    };
    const timer = setTimeout(() => destroy(stalled("no answer", stallTimeoutMs)), stallTimeoutMs);
    const onAbort = (): void => void stream.destroy();
    signal?.addEventListener("abort", onAbort);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const onEnd = (error?: unknown): void => {
      settle();
      reject(signal?.aborted ? abortError(signal) : transportError(url, error ?? broken()));
    };
    // Both may come after the answer: then its body tells.
    stream.on("error", onEnd);
    stream.once("close", onEnd);
    stream.once("response", (answered) => {
      settle();
      const { ":status": status = 0 } = answered;
      resolve({
        status,
        headers: answered,
        url,
        body: () => {
          const source: BodySource = {
            destroy,
            isComplete: () => stream.readableEnded,
            [Symbol.asyncIterator]: () => wholeBody(stream, answered),
          };
          return timedBody(url, source, { stallTimeoutMs, signal });
        },
        discard: () => stream.destroy(),
      });
    });
  });
}

/** The stream, which must not end before its time: a server that gives it up may end it like any other. */
async function* wholeBody(
  stream: ClientHttp2Stream,
  headers: IncomingHttpHeaders,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    length += piece.length;
    yield piece;
  }
  const stated = headers["content-length"];
  const isShort = stated !== undefined && Number(stated) !== length;
  if (isShort || stream.aborted || stream.rstCode !== 0) throw broken();
}

function broken(): HttpFailure {
  return new HttpFailure("transient", "the connection broke");
}
