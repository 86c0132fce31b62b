/**
 * narinfos: what a binary cache says about a store path. They are lines of text,
 *
 *   narinfo := { key ": " value LF }
 *
 *   StorePath    absolute             URL          of the NAR file, relative to that of the cache
 *   Compression  of the NAR file      FileHash     of the NAR file as it is sent
 *   FileSize     bytes                NarHash      "sha256:" nixbase32, of the NAR itself
 *   NarSize      bytes                References   basenames, separated by blanks
 *   Deriver      basename             System       such as x86_64-linux
 *   Sig          any number           CA           content address
 */
import { quoteBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import { type ContentAddress, formatContentAddress } from "../content-address.js";
import { formatHash, type NixHash } from "../nix-hash.js";
import type { Signature } from "../path-info.js";
import { formatSignature } from "../signature/signature-text.js";
import type { StorePath } from "../store-path.js";

/** What the names of derivations end in. */
export const DERIVATION_SUFFIX = ".drv";

export interface Narinfo {
  readonly storePath: StorePath;
  /** Not covered by signatures, as is everything about the file. */
  readonly url: string;
  /** As it is named, `none` for none. */
  readonly compression: string;
  readonly fileHash?: NixHash;
  readonly fileSize?: bigint;
  /** 32 bytes. */
  readonly narSha256: Uint8Array;
  readonly narSize: bigint;
  /** In the order they were given. */
  readonly references: readonly StorePath[];
  /** The derivation it was built from, its name without the last `.drv`. */
  readonly deriver?: StorePath;
  readonly system?: string;
  readonly signatures: readonly Signature[];
  readonly ca?: ContentAddress;
}

/** Of the NAR file, in bytes; 0 when nobody says. */
export function fileSizeOf({ fileSize, compression, narSize }: Narinfo): number {
  return Number(fileSize ?? (compression === "none" ? narSize : 0));
}

/**
 * The text, as Nix writes it. Always names the compression: without the line Nix takes bzip2.
 *
 * @throws {StoreError} `invalid-argument` when a value would not stay on its line.
 */
export function formatNarinfo(narinfo: Narinfo): string {
  const { fileHash, fileSize, deriver, system, ca } = narinfo;
  const lines: (readonly [string, string])[] = [
    ["StorePath", String(narinfo.storePath)],
    ["URL", narinfo.url],
    ["Compression", narinfo.compression],
  ];
  if (fileHash !== undefined) lines.push(["FileHash", formatHash(fileHash)]);
  if (fileSize !== undefined) lines.push(["FileSize", `${fileSize}`]);
  lines.push(
    ["NarHash", formatHash({ algorithm: "sha256", digest: narinfo.narSha256 })],
    ["NarSize", `${narinfo.narSize}`],
    ["References", narinfo.references.map(({ basename }) => basename).join(" ")],
  );
  if (deriver !== undefined) lines.push(["Deriver", `${deriver.basename}${DERIVATION_SUFFIX}`]);
  if (system !== undefined) lines.push(["System", system]);
  for (const signature of narinfo.signatures) lines.push(["Sig", formatSignature(signature)]);
  if (ca !== undefined) lines.push(["CA", formatContentAddress(ca)]);
  return lines.map(([key, value]) => `${key}: ${onOneLine(key, value)}\n`).join("");
}

function onOneLine(key: string, value: string): string {
  if (!/\p{Cc}/u.test(value)) return value;
  throw new StoreError(
    "invalid-argument",
    `Cannot write a narinfo: the ${key} ${quoteBytes(Buffer.from(value))} has control characters`,
  );
}
