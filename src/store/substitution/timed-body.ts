import { abortError } from "../../base/abort.js";
import { stalled, transportError } from "./http-failure.js";

/** The body of an answer, on whatever it comes. */
export interface BodySource extends AsyncIterable<Uint8Array> {
  /** Ends it, with the connection where it takes that. */
  destroy(error?: Error): unknown;
  /** Whether all of it has come. */
  isComplete(): boolean;
}

export interface TimedBodyOptions {
  /** How long nothing may come while we wait for it. */
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What `source` gives. Fails with `unavailable` when it does not come to its end, `aborted` when told to. */
export async function* timedBody(
  url: URL,
  source: BodySource,
  { stallTimeoutMs, signal }: TimedBodyOptions,
): AsyncGenerator<Uint8Array> {
  const onAbort = (): void => void source.destroy(signal && abortError(signal));
  signal?.addEventListener("abort", onAbort);
  const pieces = source[Symbol.asyncIterator]();
  try {
    if (signal?.aborted) onAbort();
    for (;;) {
      // Runs only while we wait: a slow disk on our side is no stall of theirs.
      const timer = setTimeout(
        () => source.destroy(stalled("nothing came", stallTimeoutMs)),
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
    if (!source.isComplete()) source.destroy();
  }
}
