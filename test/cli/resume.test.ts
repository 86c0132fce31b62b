/**
 * Processes that are killed in the middle of a large NAR.
 */
import { spawn } from "node:child_process";
import { once as event } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compress } from "../../src/base/compression/compress.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { StorePath } from "../../src/store/store-path.js";
import { until } from "../fuse/support/fake-mount.js";
import { narOf } from "../store/substitution/support/setting.js";
import { directory, file } from "../store/support/tree.js";
import { BinaryCache } from "../support/binary-cache.js";
import { collect, noise } from "../support/bytes.js";
import { CacheServer, type Fault } from "../support/cache-server.js";
import { CLI, TestStore } from "../support/cli.js";

const KEY = SecretKey.generate("cache-1");
const STORE_PATH = StorePath.parse("0123456789abcdfghijklmnpqrsvwxyz-large");
const SENT_BYTES = 5_000_000;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

test.each(["none", "zstd"] as const)(
  "resume with what they have of one in %s",
  async (compression) => {
    const nar = await narOf(directory({ big: file(noise(6_000_000, 1)), small: file("small\n") }));
    const cache = new BinaryCache();
    cache.add({ storePath: STORE_PATH, nar, signWith: KEY });
    if (compression === "zstd") {
      const compressed = await collect(compress("zstd", once(nar)));
      const name = `${STORE_PATH.basename.slice(0, 32)}`;
      writeFileSync(join(cache.folder, "nar", `${name}.nar`), compressed);
      const narinfo = join(cache.folder, `${name}.narinfo`);
      const text = readFileSync(narinfo, "utf8");
      const size = `FileSize: ${compressed.length}\nCompression: zstd`;
      writeFileSync(narinfo, text.replace("Compression: none", size));
    }
    using server = await CacheServer.start(cache.folder);
    // What lies behind some byte does not come for now.
    let isStalled = true;
    const stallBehind: Fault = (response, request, whole) => {
      const size = (whole as Buffer).length;
      const [, start = "0", last = ""] =
        /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
      const end = Math.min(last === "" ? size : Number(last) + 1, size);
      if (end <= SENT_BYTES || !isStalled) return server.serve(response, request, whole as Buffer);
      response.writeHead(206, {
        "content-length": end - Number(start),
        "content-range": `bytes ${start}-${end - 1}/${size}`,
      });
      response.write((whole as Buffer).subarray(Number(start), SENT_BYTES));
    };
    server.inject(/^nar\//, stallBehind);
    const store = new TestStore();
    const options = ["--substituter", server.url, "--trusted-public-key", String(KEY.publicKey)];
    const child = spawn(process.execPath, [CLI, "prefetch", ...options, STORE_PATH.basename], {
      env: store.environment,
      stdio: "ignore",
    });
    const tmp = join(store.folder, "tmp");
    const spooled = () =>
      existsSync(tmp) ? readdirSync(tmp).filter((name) => name.includes(".nar-")) : [];
    await until(() => spooled().some((name) => statSync(join(tmp, name)).size === SENT_BYTES));
    child.kill("SIGKILL");
    await event(child, "exit");
    expect(await store.list()).toEqual([]);

    isStalled = false;
    server.bytesSent = 0;
    await store.succeed(["prefetch", ...options, STORE_PATH.basename]);
    expect(await store.readBack()).toEqual([String(STORE_PATH)]);
    // What the first one got was not sent again.
    expect(server.bytesSent).toBeLessThan(1_500_000);
    expect(spooled()).toEqual([]);
  },
);
