/**
 * What is measured, and how each side does it.
 */
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CLI, run } from "../support/run.js";

/** Where everything is. */
export interface Places {
  readonly folder: string;
  readonly store: string;
  readonly big: string;
  readonly small: string;
  readonly bigStorePath: string;
  readonly smallStorePath: string;
}

/** What worker.mjs may be asked. */
export type Task =
  | { readonly type: "dump"; readonly storePath: string }
  | { readonly type: "hash"; readonly path: string }
  | { readonly type: "restore"; readonly nar: string; readonly dest: string };

export interface Line {
  readonly title: string;
  /** Command lines for sh, of which the whole time counts. */
  readonly nix: string;
  readonly ours: string;
  /** The same in a process that is there already. */
  readonly task: Task;
  /** How many times as fast as Nix it has to be: as a whole process, and without its start. */
  readonly target: { readonly process?: number; readonly started?: number };
  /** After each measurement. */
  readonly clean?: () => void;
}

/** The way out: a program on the other end of a pipe that reads and forgets. */
export const DRAIN = "| cat > /dev/null";

export function lines(places: Places): Line[] {
  const { folder, store, big, small, bigStorePath, smallStorePath } = places;
  const tvix = `${process.execPath} ${CLI}`;
  const at = `--store-dir ${store}`;
  const dest = join(folder, "restored");
  const remove = () => rmSync(dest, { recursive: true, force: true });
  let restored = 0;
  // For half a minute, ext4 steps around each inode that was freed, which takes ten times as long as making a file.
  const putAside = () => renameSync(dest, `${dest}-${++restored}`);
  const restoring = (title: string, nar: string, clean: () => void): Line => ({
    title: `restoring ${title}`,
    nix: `nix-store --restore ${dest} < ${nar}`,
    ours: `${tvix} nar restore ${dest} < ${nar}`,
    task: { type: "restore", nar, dest },
    target: { started: 1 },
    clean,
  });
  const bigNar = join(folder, "big.nar");
  const smallNar = join(folder, "small.nar");
  run("sh", ["-c", `nix-store --dump ${big} > ${bigNar}; nix-store --dump ${small} > ${smallNar}`]);
  return [
    {
      title: "dump of a file of 1 GiB into a pipe",
      nix: `nix-store --dump ${big} ${DRAIN}`,
      ours: `${tvix} nar dump ${bigStorePath} ${at} ${DRAIN}`,
      task: { type: "dump", storePath: bigStorePath },
      target: { process: 1 },
    },
    {
      title: "dump of 20,000 small files into a pipe",
      nix: `nix-store --dump ${small} ${DRAIN}`,
      ours: `${tvix} nar dump ${smallStorePath} ${at} ${DRAIN}`,
      task: { type: "dump", storePath: smallStorePath },
      target: { started: 0.7 },
    },
    {
      title: "hash path of 20,000 small files on the disk",
      nix: `nix-hash --type sha256 ${small} > /dev/null`,
      ours: `${tvix} hash path ${small} > /dev/null`,
      task: { type: "hash", path: small },
      target: {},
    },
    restoring("a file of 1 GiB", bigNar, remove),
    restoring("20,000 small files", smallNar, putAside),
  ];
}
