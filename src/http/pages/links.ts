/**
 * Where things are found on the pages.
 */
import { STORE_DIR, type StorePath } from "../../store/store-path.js";
import { encodeSegment } from "../request-target.js";

/** The page about what lies at `below` in a store path. */
export function browseLink(storePath: StorePath, below: readonly Uint8Array[] = []): string {
  return browseLinkTo(segmentsOf(storePath, below));
}

/** The content itself. */
export function rawLink(storePath: StorePath, below: readonly Uint8Array[] = []): string {
  return rawLinkTo(segmentsOf(storePath, below));
}

/** The page about what lies at `segments` below the store folder. */
export function browseLinkTo(segments: readonly Uint8Array[]): string {
  return ["/browse", ...segments.map(encodeSegment)].join("/");
}

/** The content of what lies there. */
export function rawLinkTo(segments: readonly Uint8Array[]): string {
  return [STORE_DIR, ...segments.map(encodeSegment)].join("/");
}

/**
 * Where a symlink at `below` in a store path leads, as segments below the store folder; `undefined` when that is not
 * in the store.
 */
export function linkTarget(
  storePath: StorePath,
  below: readonly Uint8Array[],
  target: Uint8Array,
): readonly Buffer[] | undefined {
  const text = Buffer.from(target).toString("latin1");
  const isAbsolute = text.startsWith("/");
  if (isAbsolute && !text.startsWith(`${STORE_DIR}/`)) return undefined;
  const way = isAbsolute
    ? []
    : segmentsOf(storePath, below)
        .slice(0, -1)
        .map((name) => Buffer.from(name).toString("latin1"));
  for (const part of text.slice(isAbsolute ? STORE_DIR.length : 0).split("/")) {
    if (part === "..") {
      // Above the store there is nothing to show.
      if (way.pop() === undefined) return undefined;
    } else if (part !== "" && part !== ".") {
      way.push(part);
    }
  }
  return way.length === 0 ? undefined : way.map((part) => Buffer.from(part, "latin1"));
}

function segmentsOf(storePath: StorePath, below: readonly Uint8Array[]): readonly Uint8Array[] {
  return [Buffer.from(storePath.basename), ...below];
}
