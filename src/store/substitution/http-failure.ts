/**
 * Why a request over HTTP failed, and whether the same request may do better.
 */
import type { IncomingHttpHeaders } from "node:http";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";

export type HttpFailureKind =
  /** The connection broke, or the server could not answer for the moment. */
  | "transient"
  /** The server did not send anything for too long, or could not be reached in time. */
  | "stall"
  /** It would go wrong again. */
  | "final";

/** The cause of the `StoreError` of a request. */
export class HttpFailure extends Error {
  readonly kind: HttpFailureKind;
  /** What the server answered; absent when it did not. */
  readonly status: number | undefined;
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: HttpFailureKind,
    message: string,
    answer: { readonly status?: number; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    this.kind = kind;
    this.status = answer.status;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

/** The failure of a server that was waited for in vain. */
export function stalled(what: string, timeoutMs: number): HttpFailure {
  return new HttpFailure("stall", `${what} for ${timeoutMs / 1000} s`);
}

/** Of a name that does not exist nothing else can be expected; of one that cannot be looked up now it can. */
const FINAL_ERRORS = new Set(["ENOTFOUND", "EACCES", "EPERM", "ERR_INVALID_URL"]);

/** The error of a request for `url` that got no answer, or not all of it. */
export function transportError(url: URL, error: unknown): StoreError {
  if (error instanceof HttpFailure) return failed(url, error);
  const errno = errnoOf(error) ?? "";
  const isFinal = FINAL_ERRORS.has(errno) || /^(ERR_TLS|CERT_|DEPTH_|SELF_|UNABLE_)/.test(errno);
  return failed(url, new HttpFailure(isFinal ? "final" : "transient", describe(error)));
}

const TRANSIENT_STATUSES = new Set([408, 429, 500, 502, 503, 504]);
const REFUSALS = new Set([401, 403, 407]);

/** The error of an answer that is neither the file nor its absence. */
export function statusError(url: URL, status: number, headers: IncomingHttpHeaders): StoreError {
  const text = `the server answers ${status}${meaningOf(status)}`;
  if (REFUSALS.has(status)) {
    const hint = "; credentials come from --netrc-file";
    return failed(url, new HttpFailure("final", `${text}${hint}`, { status }), "permission-denied");
  }
  const delay = retryAfterMs(headers["retry-after"]);
  const kind = TRANSIENT_STATUSES.has(status) ? "transient" : "final";
  return failed(url, new HttpFailure(kind, text, { status, retryAfterMs: delay }));
}

export function failureOf(error: unknown): HttpFailure | undefined {
  const cause = error instanceof StoreError ? error.cause : undefined;
  return cause instanceof HttpFailure ? cause : undefined;
}

function failed(
  url: URL,
  cause: HttpFailure,
  code: "unavailable" | "permission-denied" = "unavailable",
): StoreError {
  return new StoreError(code, `Cannot fetch ${withoutSecrets(url)}: ${cause.message}`, { cause });
}

/** A query may carry a signature that opens what it names. */
export function withoutSecrets(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

function describe(error: unknown): string {
  // Several addresses of one host failed, each in its own way.
  if (error instanceof AggregateError) {
    return [...new Set(error.errors.map(messageOf))].join(", ") || "no address answers";
  }
  if (errnoOf(error) === "ECONNRESET") return "the connection broke";
  return messageOf(error);
}

const MEANINGS: Readonly<Record<number, string>> = {
  401: "unauthorized",
  403: "forbidden",
  429: "too many requests",
  500: "internal error",
  503: "unavailable",
};

function meaningOf(status: number): string {
  const meaning = MEANINGS[status];
  return meaning === undefined ? "" : ` (${meaning})`;
}

/** Seconds, or a date. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(date - Date.now(), 0);
}
