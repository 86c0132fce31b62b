/**
 * A user without privileges, where only root is at hand: `nobody`, in a private mount namespace in which
 * /dev/fuse is open to all and the checkout and Node can be read.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountAt, parseMountTable } from "../../../../src/fuse/mount-table.js";
import { type Output, run } from "../../support/fake-mount.js";
import { CHECKOUT, DeviceServer, type ServerOptions, serverCommand } from "./device-server.js";

const SETUP = `
set -e
mount -t tmpfs -o mode=755 scratch "$1"
cd "$1"
mknod -m 666 fuse c 10 229
mount --bind fuse /dev/fuse
: > fuse.conf
[ ! -e /etc/fuse.conf ] || mount --bind fuse.conf /etc/fuse.conf
mkdir checkout
mount --bind "$2" checkout
: > node
mount --bind "$3" node
mkdir -m 755 "$4" closed
chown 65534:65534 "$4"
echo ready
exec cat
`;

/** With what options are made of. */
const MOUNT_POINT = "mount a,b\\c";

const AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

export class OtherUser {
  readonly #folder: string;
  readonly #holder: ChildProcess;

  private constructor(folder: string, holder: ChildProcess) {
    this.#folder = folder;
    this.#holder = holder;
  }

  static async start(): Promise<OtherUser> {
    const folder = mkdtempSync(join(tmpdir(), "tvix-store-user-"));
    const args = ["-m", "sh", "-c", SETUP, "sh", folder, CHECKOUT, process.execPath, MOUNT_POINT];
    const holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"] });
    await new Promise((resolve, reject) => {
      holder.stdout.once("data", resolve);
      holder.once("exit", () => reject(new Error("Cannot make a mount namespace")));
    });
    return new OtherUser(folder, holder);
  }

  /** An empty folder of the user's. */
  get mountPoint(): string {
    return `${this.#folder}/${MOUNT_POINT}`;
  }

  /** An empty folder that is not the user's. */
  get closedFolder(): string {
    return `${this.#folder}/closed`;
  }

  isMountPoint(path: string): boolean {
    const table = readFileSync(`/proc/${this.#holder.pid}/mountinfo`, "utf8");
    return mountAt(parseMountTable(table), path) !== undefined;
  }

  /** Serves as the user. */
  serve(mountPoint: string, options: ServerOptions): DeviceServer {
    const server = serverCommand(`${this.#folder}/node`, `${this.#folder}/checkout`);
    return new DeviceServer(mountPoint, options, [...this.#inside, ...AS_NOBODY, ...server]);
  }

  /** Runs a program as the user. */
  run(...command: string[]): Promise<Output> {
    return run(...([...this.#inside, ...AS_NOBODY, ...command] as [string, ...string[]]));
  }

  /** Runs a program in the namespace as root. */
  runAsRoot(...command: string[]): Promise<Output> {
    return run(...([...this.#inside, ...command] as [string, ...string[]]));
  }

  /** The namespace and its mounts go with its last process. */
  close(): void {
    this.#holder.kill("SIGKILL");
    rmdirSync(this.#folder);
  }

  get #inside(): string[] {
    return ["nsenter", "-t", String(this.#holder.pid), "-m"];
  }
}
