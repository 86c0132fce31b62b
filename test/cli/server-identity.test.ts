import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { type ServerIdentity, ServerIdentityFiles } from "../../src/cli/server-identity.js";
import { recordingLog } from "../grpc/support/serve.js";
import { temporaryFolder } from "../support/temp.js";

/** Long enough for a machine that has much else to do. */
const PATIENCE = { timeout: 30_000 };

const FIRST = "first-token-0123456789";
const SECOND = "second-token-0123456789";

function writeTokens(path: string, content: string): void {
  writeFileSync(path, content);
  chmodSync(path, 0o600);
}

describe("ServerIdentityFiles", () => {
  it("takes a file that is given before one of systemd's", () => {
    const folder = temporaryFolder();
    const credentials = join(folder, "credentials");
    mkdirSync(credentials);
    writeTokens(join(credentials, "tokens"), `read credential ${FIRST}`);
    writeTokens(join(folder, "given"), `read given ${FIRST}`);
    const nameOf = (given: object, credentialsFolder?: string) =>
      new ServerIdentityFiles(given, credentialsFolder).identity.tokens?.find(FIRST)?.name;
    expect(nameOf({}, credentials)).toBe("credential");
    expect(nameOf({ tokens: join(folder, "given") }, credentials)).toBe("given");
    expect(nameOf({})).toBeUndefined();
    expect(nameOf({}, folder)).toBeUndefined();
  });

  it("reads them again when they change, and keeps what it had when they are of no use", async () => {
    const path = join(temporaryFolder(), "tokens");
    writeTokens(path, `read a ${FIRST}`);
    const files = new ServerIdentityFiles({ tokens: path }, undefined);
    const log = recordingLog();
    const renewed: ServerIdentity[] = [];
    using _watch = files.watch((identity) => renewed.push(identity), log, 5);
    for (const bad of [() => writeTokens(path, "nonsense"), () => rmSync(path)]) {
      log.lines.length = 0;
      bad();
      await vi.waitUntil(() => log.lines.length > 1, PATIENCE);
      expect(log.lines[0]).toMatchObject({ level: "error" });
    }
    expect(renewed).toEqual([]);
    expect(files.identity.tokens?.find(FIRST)?.name).toBe("a");
    writeTokens(path, `write b ${SECOND}`);
    await vi.waitUntil(() => renewed.length === 1, PATIENCE);
    expect(renewed[0]?.tokens?.find(SECOND)).toEqual({ name: "b", right: "write" });
    expect(renewed[0]?.tokens?.find(FIRST)).toBeUndefined();
  });
});
