/**
 * INIT, the first request of a connection: kernel and server agree on a version and on features.
 *
 *   in  := major u32 · minor u32 · max_readahead u32 · flags u32 · flags2 u32 · …
 *   out := major u32 · minor u32 · max_readahead u32 · flags u32 · max_background u16 · congestion u16 ·
 *          max_write u32 · time_gran u32 · max_pages u16 · map_alignment u16 · flags2 u32 ·
 *          max_stack_depth u32 · zeros to 64 bytes
 */
import { StoreError } from "../../base/errors.js";
import type { FuseReply } from "./reply.js";
import type { FuseRequest } from "./request.js";

const MAJOR = 7;
/** Linux 5.4: the first with no-opendir, cached symlinks and requests of more than 32 pages. */
const MINOR_MIN = 31;
/** The newest version whose layouts are known here. */
const MINOR_MAX = 45;

/** Feature bits, `flags` below and `flags2` above bit 32. */
export const FEATURE = {
  asyncRead: 1n << 0n,
  bigWrites: 1n << 5n,
  autoInvalidateData: 1n << 12n,
  readdirPlus: 1n << 13n,
  readdirPlusAuto: 1n << 14n,
  noOpen: 1n << 17n,
  parallelDirectoryOperations: 1n << 18n,
  maxPages: 1n << 22n,
  cacheSymlinks: 1n << 23n,
  noOpendir: 1n << 24n,
  initExtension: 1n << 30n,
  passthrough: 1n << 37n,
} as const;

/**
 * What makes a read-only tree fast. Not EXPORT_SUPPORT: inodes cannot be looked up by handle alone. Not
 * ASYNC_DIO either: callers of direct reads would wait where no signal reaches them.
 */
const WANTED =
  FEATURE.asyncRead |
  FEATURE.bigWrites |
  FEATURE.autoInvalidateData |
  FEATURE.readdirPlus |
  FEATURE.readdirPlusAuto |
  FEATURE.noOpen |
  FEATURE.parallelDirectoryOperations |
  FEATURE.maxPages |
  FEATURE.cacheSymlinks |
  FEATURE.noOpendir |
  FEATURE.initExtension;

const PAGE_BYTES = 4096;
/** Requests of up to 1 MiB, where the kernel can. */
const PAGES_MAX = 256;
const PAGES_DEFAULT = 32;
/** A read-only file system is never written to; the kernel asks for a size all the same. */
const WRITE_BYTES_MAX = PAGE_BYTES;
const READ_AHEAD_BYTES = PAGES_MAX * PAGE_BYTES;
/** Requests in the background (read-ahead) that may wait for us, and when the kernel slows down. */
const BACKGROUND_MAX = 64;
const CONGESTION = 48;
/** Times have whole nanoseconds. */
const TIME_GRANULARITY_NS = 1;
/** Backing files may lie on one more stacked file system: a store on overlayfs. */
const STACK_DEPTH_MAX = 2;
const OUT_BYTES = 64;

export interface Connection {
  readonly minor: number;
  /** What was offered and wanted. */
  readonly features: bigint;
  /** The largest READ the kernel will send, in bytes. */
  readonly readBytesMax: number;
}

/**
 * Answers INIT in `reply`.
 *
 * @throws {StoreError} `unsupported` when the kernel is too old.
 */
export function negotiate(
  request: FuseRequest,
  reply: FuseReply,
  options: { readonly passthrough: boolean },
): Connection {
  const major = request.u32(0);
  const minor = request.u32(4);
  if (major !== MAJOR || minor < MINOR_MIN) {
    throw new StoreError(
      "unsupported",
      `This kernel speaks FUSE ${major}.${minor}; ${MAJOR}.${MINOR_MIN} is needed (Linux 5.4 or newer)`,
    );
  }
  const extended = (request.u32(12) & Number(FEATURE.initExtension)) !== 0;
  const offered = BigInt(request.u32(12)) | (extended ? BigInt(request.u32(16)) << 32n : 0n);
  const features = offered & (options.passthrough ? WANTED | FEATURE.passthrough : WANTED);
  const pages = has(features, FEATURE.maxPages) ? PAGES_MAX : PAGES_DEFAULT;

  reply.u32(MAJOR);
  reply.u32(Math.min(minor, MINOR_MAX));
  reply.u32(Math.min(request.u32(8), READ_AHEAD_BYTES));
  reply.u32(Number(features & 0xffff_ffffn));
  reply.u32(BACKGROUND_MAX | (CONGESTION << 16));
  reply.u32(WRITE_BYTES_MAX);
  reply.u32(TIME_GRANULARITY_NS);
  reply.u32(pages);
  reply.u32(Number(features >> 32n));
  reply.u32(has(features, FEATURE.passthrough) ? STACK_DEPTH_MAX : 0);
  reply.zeros(OUT_BYTES - 40);
  return { minor: Math.min(minor, MINOR_MAX), features, readBytesMax: pages * PAGE_BYTES };
}

export function has(features: bigint, feature: bigint): boolean {
  return (features & feature) !== 0n;
}
