import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import type { Argv } from "yargs";
import { quoteBytes } from "../../base/bytes.js";
import { errnoOf, isStoreError, messageOf, StoreError } from "../../base/errors.js";
import { SecretKey } from "../../store/signature/secret-key.js";
import { EXIT_CODES, JSON_OPTION, withEnvironment } from "../options.js";
import { printJson, printLine } from "../output.js";
import { UsageError } from "../usage-error.js";

interface GenerateArguments {
  readonly name: string;
  readonly output?: string;
  readonly json: boolean;
}

interface PublicArguments {
  readonly json: boolean;
}

/** More than any key. */
const KEY_BYTES_MAX = 16 * 1024;
const SECRET_MODE = 0o600;

export function builder(yargs: Argv): Argv {
  return yargs
    .command(
      "generate <name>",
      "Make a key that signs path infos; prints the secret key",
      (inner) =>
        inner
          .positional("name", {
            describe: "What to call it, such as cache.example.org-1",
            type: "string",
            demandOption: true,
          })
          .options(
            withEnvironment({
              ...JSON_OPTION,
              output: {
                alias: "o",
                describe:
                  "Write the secret key to this new file, for its owner only; print the public key",
                type: "string",
                requiresArg: true,
              },
            }),
          )
          .example("$0 key generate cache.example.org-1 -o secret", "prints the public key")
          .epilogue(EXIT_CODES),
      (options) => generate(options as unknown as GenerateArguments),
    )
    .command(
      "public",
      "Print the public key that belongs to the secret key on stdin",
      (inner) =>
        inner
          .options(withEnvironment(JSON_OPTION))
          .example("$0 key public < secret", "for trusted-public-keys")
          .epilogue(EXIT_CODES),
      (options) => printPublicKey(options as unknown as PublicArguments),
    )
    .example("$0 key generate cache.example.org-1 -o secret", "a key, in Nix's format")
    .demandCommand(1, "Say what to do: tvix-store key generate NAME, or public");
}

export async function handler(): Promise<void> {}

async function generate({ name, output, json }: GenerateArguments): Promise<void> {
  const key = newKey(name);
  if (output !== undefined) writeSecret(output, key);
  const publicKey = String(key.publicKey);
  if (json) {
    const secretKey = output === undefined ? { secretKey: key.reveal() } : {};
    await printJson({ name, publicKey, ...secretKey });
  } else {
    await printLine(output === undefined ? key.reveal() : publicKey);
  }
}

async function printPublicKey({ json }: PublicArguments): Promise<void> {
  const { name, publicKey } = SecretKey.parse(await readStdin());
  if (json) await printJson({ name, publicKey: String(publicKey) });
  else await printLine(String(publicKey));
}

function newKey(name: string): SecretKey {
  try {
    return SecretKey.generate(name);
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}

/** A file that is there is left alone: it may be the only copy of another key. */
function writeSecret(path: string, key: SecretKey): void {
  try {
    const file = openSync(path, "wx", SECRET_MODE);
    try {
      writeFileSync(file, `${key.reveal()}\n`, { flush: true });
    } catch (error) {
      rmSync(path);
      throw error;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const why = errnoOf(error) === "EEXIST" ? "it is there already" : messageOf(error);
    throw new StoreError("unavailable", `Cannot write ${quoteBytes(Buffer.from(path))}: ${why}`, {
      cause: error,
    });
  }
}

async function readStdin(): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError("Give the secret key on stdin: key public < FILE");
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of process.stdin as AsyncIterable<Buffer>) {
      pieces.push(piece);
      sizeBytes += piece.length;
      if (sizeBytes > KEY_BYTES_MAX) break;
    }
  } catch (error) {
    throw new StoreError("unavailable", `Cannot read stdin: ${messageOf(error)}`, { cause: error });
  }
  if (sizeBytes <= KEY_BYTES_MAX) return Buffer.concat(pieces).toString("utf8");
  throw new StoreError("invalid-argument", "What is on stdin is too long to be a key");
}
