import { decompress } from "../../base/compression/decompress.js";
import { type ErrorCode, isStoreError, StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { CacheFetcher, FilePart, StreamOptions } from "./cache-fetcher.js";
import { type HttpAnswer, HttpClient, type HttpClientOptions } from "./http-client.js";
import { HttpFailure, statusError, transportError, withoutSecrets } from "./http-failure.js";
import {
  contentRange,
  encodingOf,
  partOf,
  type RangedFile,
  rangeOf,
  wholeOf,
} from "./http-ranges.js";
import { resumed } from "./resumed.js";
import { Retry, type RetryOptions } from "./retry.js";
import { inSegments, SEGMENT_BYTES } from "./segments.js";
import { TimedPieces } from "./timed-pieces.js";

/** As many as Nix asks with at once. */
const QUESTIONS_MAX = 25;
/** NARs on their way at once. They have connections of their own: a question must not wait for a large one. */
const DOWNLOADS_MAX = 8;

/** Bytes per second that one connection gives where more of them would not give more. */
const SINGLE_FROM = 50_000_000;

const PLAIN = { "Accept-Encoding": "identity" } as const;

export interface HttpFetcherOptions extends Omit<HttpClientOptions, "connectionsMax"> {
  readonly address: string;
  /** Of the cache; its query is not used. */
  readonly base: URL;
  /** Whether a narinfo may name a NAR elsewhere. */
  readonly foreignUrls?: boolean;
  readonly retry?: RetryOptions;
  /** A large file comes over one connection when that gives so many bytes per second; 50 MB unless told. */
  readonly singleFrom?: number;
}

/**
 * A binary cache on a web server. 404 and 410 mean that a file is not there, everything else but the file is
 * an error. What may do better the next time is tried again; a download that breaks goes on where it broke.
 */
export class HttpFetcher implements CacheFetcher {
  readonly address: string;
  readonly #base: URL;
  readonly #foreignUrls: boolean;
  readonly #retry: RetryOptions | undefined;
  readonly #questions: HttpClient;
  readonly #downloads: HttpClient;
  readonly #singleFrom: number;
  /** Until a server shows that it does not. */
  #givesParts = true;

  constructor(options: HttpFetcherOptions) {
    const { address, base, foreignUrls = false, retry, singleFrom, ...client } = options;
    this.#singleFrom = singleFrom ?? SINGLE_FROM;
    this.address = address;
    this.#base = new URL(base.origin + base.pathname.replace(/\/*$/, "/"));
    this.#foreignUrls = foreignUrls;
    this.#retry = retry;
    this.#questions = new HttpClient({ ...client, connectionsMax: QUESTIONS_MAX });
    this.#downloads = new HttpClient({ ...client, connectionsMax: DOWNLOADS_MAX });
  }

  async read(
    name: string,
    bytesMax: number,
    { signal }: CallOptions = {},
  ): Promise<Uint8Array | undefined> {
    const url = new URL(name, this.#base);
    const retry = new Retry(this.#retry);
    for (;;) {
      try {
        const answer = await this.#questions.get(url, PLAIN, signal);
        if (isAbsent(answer)) return undefined;
        checkWhole(answer);
        const name = withoutSecrets(url);
        const pieces: Uint8Array[] = [];
        for await (const piece of decoded(answer, name, bytesMax)) pieces.push(piece);
        return Buffer.concat(pieces);
      } catch (error) {
        await retry.again(error, false, signal);
      }
    }
  }

  async stream(
    place: string,
    { signal, offset = 0, size = 0 }: StreamOptions = {},
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const url = this.#placeOf(place);
    const retry = new Retry(this.#retry);
    for (let wanted = offset; ; ) {
      try {
        const isSegmented = this.#givesParts && size - wanted > SEGMENT_BYTES;
        const end = isSegmented ? wanted + SEGMENT_BYTES : undefined;
        const headers = { ...PLAIN, ...rangeOf(wanted, end) };
        const answer = await this.#downloads.get(url, headers, signal);
        if (isAbsent(answer)) return undefined;
        const file = contentRange(answer, wanted, end);
        if (file !== undefined) {
          return end === undefined
            ? this.#resumed(url, answer, { file, offset: wanted }, retry, signal)
            : this.#segments(url, answer, { file, offset: wanted, end }, signal);
        }
        const isOther = answer.status === 206 || answer.status === 416;
        if (isSegmented && (isOther || answer.status === 200)) this.#givesParts = false;
        if (isOther && (isSegmented || wanted > 0)) {
          // It is not what it was, or the server has ways of its own: at last all of it is asked for.
          answer.discard();
          if (!isSegmented) wanted = 0;
          continue;
        }
        checkWhole(answer);
        const whole = wholeOf(answer);
        const content =
          whole === undefined
            ? decoded(answer, withoutSecrets(url), Number.MAX_SAFE_INTEGER)
            : this.#resumed(url, answer, { file: whole, offset: 0 }, retry, signal);
        return offset === 0 ? content : withoutFirst(offset, content);
      } catch (error) {
        await retry.again(error, false, signal);
      }
    }
  }

  /** Someone waits for it: it does not queue behind downloads. */
  async part(
    place: string,
    part: FilePart,
    { signal }: CallOptions = {},
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const url = this.#placeOf(place);
    return (await this.#part(this.#questions, url, part, signal))?.content;
  }

  close(): void {
    this.#questions.close();
    this.#downloads.close();
  }

  /**
   * A file from `offset` on, of which `answer` is the first segment, up to `end`: how soon that comes decides
   * whether the rest comes over several connections.
   */
  async *#segments(
    url: URL,
    answer: HttpAnswer,
    {
      file,
      offset,
      end,
    }: { readonly file: RangedFile; readonly offset: number; readonly end: number },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const ask = this.#asking(this.#downloads, url, end, signal);
    const part = { offset, end: Math.min(end, file.length) };
    const first = new TimedPieces(resumed(answer, part, ask, new Retry(this.#retry), signal));
    yield* first;
    if (end >= file.length) return;
    if (first.bytesPerSecond >= this.#singleFrom) {
      const retry = new Retry(this.#retry);
      yield* this.#resumed(url, undefined, { file, offset: end }, retry, signal);
      return;
    }
    const fetch = (part: FilePart, stop: AbortSignal) => {
      const both = signal === undefined ? stop : AbortSignal.any([signal, stop]);
      return this.#part(this.#downloads, url, part, both);
    };
    yield* inSegments({ offset: end, end: file.length }, async function* (part, stop) {
      const next = await fetch(part, stop);
      if (next?.file.length === file.length && next.file.etag === file.etag) yield* next.content;
      else
        throw transportError(
          url,
          new HttpFailure("final", "it has changed on its way", { status: 206 }),
        );
    });
  }

  /**
   * A part of the file, or as much of it as there is; `undefined` when there is no such file.
   *
   * @throws {StoreError} `unsupported` when this server gives whole files only.
   */
  async #part(
    client: HttpClient,
    url: URL,
    { offset, length }: FilePart,
    signal: AbortSignal | undefined,
  ): Promise<ArrivingPart | undefined> {
    const end = offset + length;
    const ask = this.#asking(client, url, end, signal);
    const retry = new Retry(this.#retry);
    for (;;) {
      try {
        const answer = await ask(offset);
        if (answer === undefined) return undefined;
        const file = partOf(answer, offset, end);
        const range = { offset, end: Math.min(end, file.length) };
        return { content: resumed(answer, range, ask, retry, signal), file };
      } catch (error) {
        await retry.again(error, false, signal);
      }
    }
  }

  /** Asks for what lies between a byte and `end`; gives `undefined` for a file that is not there. */
  #asking(
    client: HttpClient,
    url: URL,
    end: number,
    signal: AbortSignal | undefined,
  ): (from: number) => Promise<HttpAnswer | undefined> {
    return async (from) => {
      const answer = await client.get(url, { ...PLAIN, ...rangeOf(from, end) }, signal);
      if (isAbsent(answer)) return undefined;
      partOf(answer, from, end);
      return answer;
    };
  }

  /** All of `file` from `offset` on, which `answer` is the first attempt at. */
  #resumed(
    url: URL,
    answer: HttpAnswer | undefined,
    { file, offset }: { readonly file: RangedFile; readonly offset: number },
    retry: Retry,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const ask = (from: number) => this.#rest(url, file, from, signal);
    return resumed(answer, { offset, end: file.length }, ask, retry, signal);
  }

  /** The bytes of `file` from `offset` on. */
  async #rest(
    url: URL,
    file: RangedFile,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    const { etag } = file;
    // Only a strong one says that the bytes are the same.
    const condition = etag === undefined || etag.startsWith("W/") ? {} : { "If-Range": etag };
    const headers = { ...PLAIN, Range: `bytes=${offset}-`, ...condition };
    const answer = await this.#downloads.get(url, headers, signal);
    if (contentRange(answer, offset)?.length === file.length) return answer;
    answer.discard();
    if (answer.status !== 200 && answer.status !== 206) {
      throw statusError(url, answer.status, answer.headers);
    }
    const why = `it has changed, or cannot be had from byte ${offset} on, where it broke off`;
    throw transportError(url, new HttpFailure("final", why, { status: answer.status }));
  }

  /** As Nix joins them: a path goes below the base even when it starts with a slash. */
  #placeOf(place: string): URL {
    const isAbsolute = /^[a-z][a-z0-9+.-]*:/i.test(place);
    let url: URL | undefined;
    try {
      url = new URL(isAbsolute ? place : `${this.#base.href}${place.replace(/^\/+/, "")}`);
    } catch {
      // Refused below.
    }
    const isInside =
      url?.origin === this.#base.origin && url.pathname.startsWith(this.#base.pathname);
    const isForeign = url?.protocol === "https:" || url?.protocol === this.#base.protocol;
    const hasUser = url?.username !== "" || url.password !== "";
    if (url !== undefined && !hasUser && (isInside || (this.#foreignUrls && isForeign))) return url;
    throw new StoreError(
      "invalid-argument",
      `The URL ${JSON.stringify(place.slice(0, 256))} is outside the cache ${this.address}`,
    );
  }
}

/** A part of a file on its way. */
interface ArrivingPart {
  readonly content: AsyncIterable<Uint8Array>;
  readonly file: RangedFile;
}

function isAbsent(answer: HttpAnswer): boolean {
  if (answer.status !== 404 && answer.status !== 410) return false;
  answer.discard();
  return true;
}

function checkWhole(answer: HttpAnswer): void {
  const { status, headers, url } = answer;
  const isKnown = encodingOf(answer) !== undefined;
  if (status === 200 && isKnown) return;
  answer.discard();
  if (status !== 200) throw statusError(url, status, headers);
  const encoding = JSON.stringify(headers["content-encoding"]);
  const why = `its Content-Encoding is ${encoding}, which was not asked for`;
  throw transportError(url, new HttpFailure("final", why, { status }));
}

async function* withoutFirst(
  count: number,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const piece of source) {
    const rest = piece.subarray(Math.min(left, piece.length));
    left -= piece.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}

async function* decoded(
  answer: HttpAnswer,
  name: string,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  try {
    yield* decompress(encodingOf(answer) ?? "none", answer.body(), { bytesMax });
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) throw cannotRead(name, "corrupt", error);
    if (isStoreError(error, "limit-exceeded")) throw cannotRead(name, error.code, error);
    throw error;
  }
}

function cannotRead(name: string, code: ErrorCode, cause: StoreError): StoreError {
  return new StoreError(code, `Cannot read ${name}: ${cause.message}`, { cause });
}
