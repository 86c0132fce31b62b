/**
 * What a request is answered with.
 */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  /**
   * Pulled once, from when the headers are sent; nothing for a reply without a body. A piece need not outlive the
   * next one.
   */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** One line for people and for the messages of Nix. */
export function textReply(
  status: number,
  text: string,
  headers: Readonly<Record<string, string | number>> = {},
): Reply {
  const body = `${text}\n`;
  return {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "content-length": Buffer.byteLength(body),
      ...headers,
    },
    body,
  };
}

export function redirect(location: string): Reply {
  return textReply(307, `See ${location}`, { location });
}

/** What a client takes for absence, quietly. */
export function absent(): Reply {
  return textReply(404, "There is no such thing here", { "cache-control": "no-store" });
}
