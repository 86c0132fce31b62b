/**
 * The wrapper around every request handler: whatever happens inside, the request is answered. A request
 * without an answer leaves its caller hanging, and not even SIGKILL frees it.
 */
import { constants } from "node:os";
import { quoteBytes } from "../base/bytes.js";
import { isStoreError, messageOf } from "../base/errors.js";
import type { LogFields, Logger } from "../base/log.js";
import { errnoFrom } from "./errno.js";

const { EIO } = constants.errno;

/** What is asked, for the log. */
export interface Request {
  /** A verb: `read`, `list`. */
  readonly operation: string;
  /** Within the mount, starting with a slash. */
  readonly path: string;
}

/** Ends a request: with 0 or more and the result, or with a negative error number alone. */
export type Reply<Result extends unknown[]> = (
  ...answer: [failure: number] | [status: number, ...result: Result]
) => void;

/**
 * Replies with what `handle` returns or, when something throws, with an error number. A reply that throws
 * must not have gone out: then this one is the only one all the same.
 */
export function answer<Result extends unknown[]>(
  log: Logger,
  request: Request,
  reply: Reply<Result>,
  handle: () => [status: number, ...result: Result],
): void {
  try {
    reply(...handle());
  } catch (error) {
    const errno = errnoFrom(error);
    reply(-errno);
    // Only now: a log that fails must not keep the caller waiting.
    if (errno === EIO) logFailure(log, request, error);
  }
}

/** EIO tells the user nothing but "input/output error"; what is behind it goes to the log. */
export function logFailure(log: Logger, { operation, path }: Request, error: unknown): void {
  const shown = quoteBytes(Buffer.from(path));
  log.error(
    { operation, path: shown, ...failureFields(error) },
    `Cannot ${operation} ${shown}: ${messageOf(error)}`,
  );
}

/** A hole in the store is found by its message, which names the digest; a bug by its stack. */
export function failureFields(error: unknown): LogFields {
  const code = isStoreError(error) ? error.code : "internal";
  const stack = code === "internal" && error instanceof Error ? error.stack : undefined;
  return { code, stack };
}
