/**
 * The part of a reply that a client wants (RFC 9110, section 14). One range is served; several at once, other
 * units and what does not parse count as no wish at all, as the standard allows.
 */

/** From `start` up to, not including, `end`, in bytes. */
export interface ServedRange {
  readonly start: number;
  readonly end: number;
}

/** What `Range: header` means for `size` bytes: `undefined` for all of them. */
export function readRange(
  header: string | undefined,
  size: number,
): ServedRange | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") {
    // The last so many bytes.
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  // Numbers of any length turn into floating point, which is exact wherever it matters.
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}
