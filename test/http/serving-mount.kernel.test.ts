import { describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { narOf } from "../store/nar/support/nar.js";
import { directory, file } from "../store/support/tree.js";
import { outputOf } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { temporaryFolder } from "../support/temp.js";
import { narFileUrl, narinfoOf, narinfoUrl, pathCalled } from "./support/serve-http.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

describe.skipIf(kernelTestsObstacle !== undefined)("A mount with a binary cache", () => {
  test("shows what was uploaded to it", async () => {
    using mount = await CliMount.start(new TestStore(), "--http", "127.0.0.1:0", "--allow-upload");
    const url = `http://${/^http on (\S+)$/m.exec(mount.stderr)?.[1]}`;
    const nar = narOf(directory({ greeting: file("hello\n") }));
    const put = async (path: string, body: Uint8Array | string) =>
      (await fetch(`${url}${path}`, { method: "PUT", body })).status;
    expect(await put(narFileUrl(nar), nar)).toBe(200);
    expect(await put(narinfoUrl("uploaded"), narinfoOf("uploaded", nar))).toBe(200);
    const script = 'for i in $(seq 50); do cat "$0" 2>/dev/null && exit; sleep 0.1; done; exit 1';
    const path = mount.path(String(pathCalled("uploaded")), "greeting");
    expect(await outputOf("sh", "-c", script, path)).toBe("hello\n");
    expect(await mount.stop()).toBe(0);
  });

  test("ends when it may not be reached from where it would be, whatever else it serves", async () => {
    const outcome = await new TestStore().run([
      "mount",
      temporaryFolder(),
      `--listen=unix:${temporaryFolder()}/socket`,
      "--http=0.0.0.0:0",
      "--allow-upload",
    ]);
    expect(outcome).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("Other machines can reach"),
    });
  });
});
