import type { HttpAnswer } from "./http-client.js";
import type { Retry } from "./retry.js";

/**
 * The body of `first`, from `offset` up to `end`, going on with `ask` where it breaks; without one, from the start. One
 * that breaks after its last byte is whole.
 */
export async function* resumed(
  first: HttpAnswer | undefined,
  { offset, end }: { readonly offset: number; readonly end: number },
  ask: (from: number) => Promise<HttpAnswer | undefined>,
  retry: Retry,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let at = offset;
  let answer = first;
  for (;;) {
    const start = at;
    try {
      // One that is gone meanwhile ends early, which the caller sees.
      answer ??= await ask(at);
      if (answer === undefined) return;
      for await (const piece of answer.body()) {
        at += piece.length;
        yield piece;
      }
      return;
    } catch (error) {
      if (at === end) return;
      await retry.again(error, at > start, signal);
      answer = undefined;
    }
  }
}
