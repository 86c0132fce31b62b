/**
 * A binary cache in a folder, as Nix reads and writes it: `file://FOLDER`.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContentAddress } from "../../src/store/content-address.js";
import { fingerprint } from "../../src/store/narinfo/fingerprint.js";
import { formatNarinfo } from "../../src/store/narinfo/narinfo.js";
import { parseNarinfo } from "../../src/store/narinfo/parse.js";
import type { SecretKey } from "../../src/store/signature/secret-key.js";
import type { StorePath } from "../../src/store/store-path.js";
import { temporaryFolder } from "./temp.js";

export interface CachedPath {
  readonly storePath: StorePath;
  readonly nar: Uint8Array;
  readonly references?: readonly StorePath[];
  readonly ca?: ContentAddress;
  readonly signWith?: SecretKey;
}

export class BinaryCache {
  readonly folder: string;

  constructor(folder = temporaryFolder()) {
    this.folder = folder;
    mkdirSync(join(folder, "nar"), { recursive: true });
    writeFileSync(join(folder, "nix-cache-info"), "StoreDir: /nix/store\n");
  }

  /** For the command line of Nix; `options` such as `compression=none`. */
  url(...options: string[]): string {
    return `file://${this.folder}${options.length === 0 ? "" : `?${options.join("&")}`}`;
  }

  /** The narinfos in it, as text. */
  narinfos(): string[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith(".narinfo"))
      .map((name) => readFileSync(join(this.folder, name), "utf8"));
  }

  /** The NAR of a path that is not compressed. */
  nar(storePath: StorePath): Buffer {
    const hash = storePath.basename.slice(0, 32);
    const narinfo = readFileSync(join(this.folder, `${hash}.narinfo`));
    return readFileSync(join(this.folder, parseNarinfo(narinfo).url));
  }

  add({ storePath, nar, references = [], ca, signWith }: CachedPath): void {
    const hash = storePath.basename.slice(0, 32);
    const pathInfo = {
      storePath,
      narSha256: createHash("sha256").update(nar).digest(),
      narSize: BigInt(nar.length),
      references,
    };
    const narinfo = formatNarinfo({
      ...pathInfo,
      url: `nar/${hash}.nar`,
      compression: "none",
      signatures: signWith === undefined ? [] : [signWith.sign(fingerprint(pathInfo))],
      ...(ca && { ca }),
    });
    writeFileSync(join(this.folder, "nar", `${hash}.nar`), nar);
    writeFileSync(join(this.folder, `${hash}.narinfo`), narinfo);
  }
}
