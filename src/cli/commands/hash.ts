import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { Argv, Options } from "yargs";
import { quoteBytes } from "../../base/bytes.js";
import { messageOf, StoreError } from "../../base/errors.js";
import { hashTree } from "../../store/import/hash-tree.js";
import {
  formatDigest,
  HASH_ALGORITHMS,
  type HashAlgorithm,
  type HashEncoding,
} from "../../store/nix-hash.js";
import { EXIT_CODES, JSON_OPTION, withEnvironment } from "../options.js";
import { printJson, printLine } from "../output.js";
import { UsageError } from "../usage-error.js";

interface HashArguments {
  readonly paths: readonly string[];
  readonly type: HashAlgorithm;
  readonly base16: boolean;
  readonly base32: boolean;
  readonly base64: boolean;
  readonly sri: boolean;
  readonly json: boolean;
}

const ENCODINGS = ["base16", "base32", "base64", "sri"] as const satisfies HashEncoding[];

const HASH_OPTIONS = {
  ...JSON_OPTION,
  type: { describe: "Hash algorithm", choices: HASH_ALGORITHMS, default: "sha256" },
  base16: { describe: "Print in hex", type: "boolean", default: false },
  base32: { describe: "Print in Nix's base 32", type: "boolean", default: false },
  base64: { describe: "Print in base 64", type: "boolean", default: false },
  sri: { describe: "Print as TYPE-BASE64 (the default)", type: "boolean", default: false },
} as const satisfies Record<string, Options>;

export function builder(yargs: Argv): Argv {
  const paths = (inner: Argv, describe: string) =>
    inner
      .positional("paths", { describe, type: "string", array: true, demandOption: true })
      .options(withEnvironment(HASH_OPTIONS))
      .epilogue(EXIT_CODES);
  return yargs
    .command(
      "path <paths..>",
      "Print the hash of the NAR of files or folders, as `nix hash path`",
      (inner) =>
        paths(inner, "Files, folders or symlinks").example(
          "$0 hash path ./result",
          "what path-info would say is its NAR hash",
        ),
      (options) => printHashes(options as unknown as HashArguments, hashPath),
    )
    .command(
      "file <paths..>",
      "Print the hash of what files hold, as `nix hash file`",
      (inner) =>
        paths(inner, "Files").example(
          "$0 hash file --type sha512 --base32 x.tar.gz",
          "for fetchurl",
        ),
      (options) => printHashes(options as unknown as HashArguments, hashFile),
    )
    .example("$0 hash path ./result", "the NAR hash of a tree that is not in the store")
    .demandCommand(1, "Say what to hash: tvix-store hash path PATH, or file PATH");
}

export async function handler(): Promise<void> {}

type Hasher = (path: string, algorithm: HashAlgorithm) => Promise<Buffer>;

async function printHashes(options: HashArguments, hash: Hasher): Promise<void> {
  const { type: algorithm, paths, json } = options;
  const [encoding = "sri", another] = ENCODINGS.filter((name) => options[name]);
  if (another !== undefined) throw new UsageError(`Give either --${encoding} or --${another}`);
  const results: { path: string; hash: string }[] = [];
  for (const path of paths) {
    const text = formatDigest({ algorithm, digest: await hash(path, algorithm) }, encoding);
    if (json) results.push({ path, hash: text });
    else await printLine(text);
  }
  if (json) await printJson(results);
}

async function hashPath(path: string, algorithm: HashAlgorithm): Promise<Buffer> {
  return hashTree(Buffer.from(resolve(path)), algorithm);
}

async function hashFile(path: string, algorithm: HashAlgorithm): Promise<Buffer> {
  const hash = createHash(algorithm);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 }))
      hash.update(piece);
  } catch (error) {
    const quoted = quoteBytes(Buffer.from(path));
    throw new StoreError("unavailable", `Cannot read ${quoted}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return hash.digest();
}
