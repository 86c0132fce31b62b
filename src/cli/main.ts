/**
 * The command line. Each command is a module of its own that is loaded when it is used: most of the time a
 * short command takes is spent on loading.
 */
import { readFileSync } from "node:fs";
import type { ArgumentsCamelCase, Argv } from "yargs";
import yargs from "yargs";
import { StoreError } from "../base/errors.js";
import { EXIT_CODES, GLOBAL_OPTIONS, withEnvironment } from "./options.js";
import { isTerminal, OutputClosed } from "./output.js";
import { UsageError } from "./usage-error.js";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

interface CommandModule {
  builder(yargs: Argv): Argv;
  // Yargs has checked the arguments against the builder's options.
  handler(options: never): Promise<void>;
}

interface Command {
  readonly usage: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

const COMMANDS: readonly Command[] = [
  {
    usage: "import <paths..>",
    summary: "Store files or folders, print their store paths",
    load: () => import("./commands/import.js"),
  },
  {
    usage: "mount <dest>",
    summary: "Mount the store read-only at DEST until Ctrl-C or umount",
    load: () => import("./commands/mount.js"),
  },
  {
    usage: "daemon",
    summary: "Serve the store over gRPC until Ctrl-C",
    load: () => import("./commands/daemon.js"),
  },
  {
    usage: "copy [paths..]",
    summary: "Copy store paths and all they refer to between stores",
    load: () => import("./commands/copy.js"),
  },
  {
    usage: "ls <path>",
    summary: "List what a store path holds",
    load: () => import("./commands/ls.js"),
  },
  {
    usage: "cat <path>",
    summary: "Print a file inside a store path",
    load: () => import("./commands/cat.js"),
  },
  {
    usage: "readlink <path>",
    summary: "Print where a symlink inside a store path points",
    load: () => import("./commands/readlink.js"),
  },
  {
    usage: "path-info [paths..]",
    summary: "Tell what is known about store paths",
    load: () => import("./commands/path-info.js"),
  },
  {
    usage: "prefetch <paths..>",
    summary: "Fetch store paths and all they refer to from substituters",
    load: () => import("./commands/prefetch.js"),
  },
  {
    usage: "nar",
    summary: "Work with NARs, the archives of Nix",
    load: () => import("./commands/nar.js"),
  },
  {
    usage: "hash",
    summary: "Hash files and folders as Nix does",
    load: () => import("./commands/hash.js"),
  },
  {
    usage: "key",
    summary: "Make keys that sign path infos",
    load: () => import("./commands/key.js"),
  },
];

/** What yargs says of a command that lacks an argument. */
const TOO_FEW_ARGUMENTS = /^Not enough non-option arguments/;

function commandLine(words: readonly string[]): Argv {
  const line = yargs(shieldPaths(words))
    .scriptName("tvix-store")
    .usage("$0 <command> [options]\n\nA content-addressed Nix store that is mounted, not copied.")
    .version(version())
    .options(withEnvironment(GLOBAL_OPTIONS))
    .strict()
    .demandCommand(1, "Say what to do")
    .epilogue(EXIT_CODES)
    .wrap(Math.min(isTerminal ? process.stdout.columns : 100, 100))
    .exitProcess(false)
    .locale("en")
    .middleware(restoreDashes)
    .fail((message, error: Error | undefined) => {
      if (error !== undefined) throw error;
      throw new UsageError(
        TOO_FEW_ARGUMENTS.test(message) ? `Missing argument: ${usageIn(line)}` : message,
      );
    });
  withoutHelpMessages(line);
  for (const { usage, summary, load } of COMMANDS) {
    line.command(
      usage,
      summary,
      async (inner: Argv) => (await load()).builder(inner).epilogue(EXIT_CODES) as Argv<object>,
      async (options: ArgumentsCamelCase) => (await load()).handler(options as never),
    );
  }
  return line.command(
    "completion",
    "Print a completion script for bash or zsh",
    (inner) => inner.example("source <($0 completion)", "in ~/.bashrc").epilogue(EXIT_CODES),
    () => void line.showCompletionScript(),
  );
}

/** The part of yargs that lies behind its interface and is used here. */
interface YargsInternals {
  getInternalMethods(): {
    getUsageInstance(): { cacheHelpMessage: () => void };
    /** Of the command that is being read. */
    getContext(): { readonly fullCommands: readonly string[] };
  };
}

function internalsOf(line: Argv) {
  return (line as unknown as YargsInternals).getInternalMethods();
}

/** The command that is being read, with the names of its arguments. */
function usageIn(line: Argv): string {
  return ["tvix-store", ...internalsOf(line).getContext().fullCommands].join(" ");
}

/**
 * Yargs lays out the help of each command that it runs, for errors to show, which takes longer than the rest of reading
 * the command line. Our errors name the option instead.
 */
function withoutHelpMessages(line: Argv): void {
  internalsOf(line).getUsageInstance().cacheHelpMessage = () => {};
}

/** Stands for a lone `-`, which yargs would lose; no argument can hold it. */
const DASH = "\0-";

/** Puts lone `-` back in their places. */
function restoreDashes(options: Record<string, unknown>): void {
  const restore = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(restore);
    return value === DASH ? "-" : value;
  };
  for (const [name, value] of Object.entries(options)) options[name] = restore(value);
}

/**
 * What follows `--` are paths, which yargs would lose: they go without it, and `--x` as `./--x`.
 *
 * @throws {UsageError} for an empty argument, which a path would take for the folder we are in.
 */
function shieldPaths(words: readonly string[]): string[] {
  // Here the last word is one that somebody has only begun to type.
  if (words[0] === "--get-yargs-completions") return [...words];
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  // An option may be empty.
  const isEmpty = (word: string, index: number) =>
    word === "" && (index > end || words[index - 1]?.startsWith("-") !== true);
  if (words.some(isEmpty)) throw new UsageError("An argument is empty");
  return [
    ...words.slice(0, end).map((word) => (word === "-" ? DASH : word)),
    ...words.slice(end + 1).map((path) => (path.startsWith("-") ? `./${path}` : path)),
  ];
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** What shows the help that belongs to the command line. */
function helpCommand(): string {
  const [word = ""] = process.argv.slice(2);
  const known = COMMANDS.some(({ usage }) => usage.split(" ")[0] === word);
  return known ? `tvix-store ${word} --help` : "tvix-store --help";
}

/** Prints what went wrong and tells the exit code for it. */
function report(error: unknown): number {
  if (error instanceof OutputClosed) return EXIT_FAILED;
  if (error instanceof UsageError || (error instanceof Error && error.name === "YError")) {
    process.stderr.write(`tvix-store: ${error.message}\nTry ${helpCommand()}\n`);
    return EXIT_USAGE;
  }
  if (error instanceof StoreError && error.code !== "internal") {
    process.stderr.write(`tvix-store: ${error.message}\n`);
  } else {
    const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`tvix-store: unexpected error, please report it: ${details}\n`);
  }
  return EXIT_FAILED;
}

async function main(words: readonly string[]): Promise<never> {
  try {
    await commandLine(words).parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
  // Not left to Node: it would close the stores (services.ts says why not), and wait for threads of a mount,
  // which wait for the kernel for as long as a detached mount has files open.
  process.exit();
}

void main(process.argv.slice(2));
