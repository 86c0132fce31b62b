/**
 * PathInfo messages that break a rule, one row for each: as changes to one that breaks none.
 */
import type { Fields } from "../../protos/messages.js";

export const NAME = "00000000000000000000000000000000-dummy";
const OTHER = "00bgd045z0d4icpbc2yyz4gx48ak44la-other";
export const OTHER_HASH = Buffer.from("8a12321522fd91efbd60ebb2481af88580f61600", "hex");
export const zeros = (length: number): Buffer => Buffer.alloc(length);

const directory = { name: Buffer.from(NAME), digest: zeros(32), size: "0" };
export const narinfo = { nar_size: "0", nar_sha256: zeros(32), reference_names: [NAME] };
/** Breaks no rule. */
export const message = { node: { directory }, references: [zeros(20)], narinfo };

/** What is wrong, the changes, and what the error says. */
export const BAD_PATH_INFOS: readonly [title: string, changes: Fields, why: string][] = [
  ["no narinfo", { narinfo: undefined }, "no narinfo"],
  ["no node", { node: undefined }, "no root node"],
  ["an empty node", { node: {} }, "no root node"],
  [
    "a reference that is too short",
    { references: [zeros(20), zeros(2)] },
    "reference 1: Invalid store path hash: 2 bytes, expected 20",
  ],
  [
    "a reference without a name",
    { narinfo: { ...narinfo, reference_names: [] } },
    "1 references, but 0 reference names",
  ],
  [
    "an absolute reference name",
    { narinfo: { ...narinfo, reference_names: [`/nix/store/${NAME}`] } },
    `reference name 0: Invalid store path "/nix/store/${NAME}"`,
  ],
  [
    "a reference name with another hash",
    {
      references: [OTHER_HASH, zeros(20)],
      narinfo: { ...narinfo, reference_names: [OTHER, OTHER] },
    },
    `reference name 1, ${OTHER}, has hash 8a12321522fd91efbd60ebb2481af88580f61600, reference 1 is 0000000000000000000000000000000000000000`,
  ],
  [
    "a directory without digest",
    { node: { directory: { name: Buffer.from(NAME) } } },
    "0 bytes, expected 32",
  ],
  [
    "a file with a short digest",
    { node: { file: { ...directory, digest: zeros(31) } } },
    "31 bytes, expected 32",
  ],
  [
    "a symlink to nothing",
    { node: { symlink: { name: Buffer.from(NAME) } } },
    'Invalid symlink target "": it is empty',
  ],
  [
    "a symlink with NUL",
    { node: { symlink: { name: Buffer.from(NAME), target: Buffer.from("/a\0b") } } },
    "NUL",
  ],
  [
    "a node that is not named like a store path",
    { node: { directory: { ...directory, name: Buffer.from("invalid") } } },
    'Invalid store path "invalid"',
  ],
  [
    "a node whose name is not text",
    { node: { directory: { ...directory, name: Buffer.from([0xff]) } } },
    '"\\xff" is not text',
  ],
  ["a short NAR hash", { narinfo: { ...narinfo, nar_sha256: zeros(2) } }, "NAR SHA-256 has 2"],
  [
    "an empty deriver",
    { narinfo: { ...narinfo, deriver: {} } },
    "deriver: Invalid store path hash: 0 bytes",
  ],
  [
    "a deriver with a bad name, beside no references",
    {
      references: [],
      narinfo: {
        ...narinfo,
        reference_names: [],
        deriver: { name: "a/b", digest: zeros(20) },
      },
    },
    'deriver: Invalid store path name "a/b"',
  ],
  [
    "a short signature",
    { narinfo: { ...narinfo, signatures: [{ name: "key-1", data: zeros(32) }] } },
    'signature 0, by "key-1" has 32 bytes, expected 64',
  ],
  [
    "a content address with too short a digest",
    { narinfo: { ...narinfo, ca: { type: "FLAT_SHA512", digest: zeros(32) } } },
    "fixed:sha512 digest: 32 bytes, expected 64",
  ],
  [
    "a content address without digest",
    { narinfo: { ...narinfo, ca: {} } },
    "fixed:r:sha256 digest: 0 bytes, expected 32",
  ],
  [
    "an unknown content address",
    { narinfo: { ...narinfo, ca: { type: 9, digest: zeros(32) } } },
    "content address type 9 is not known",
  ],
];
