import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();
const store = new TestStore();

describe("tvix-store key", () => {
  test("generate prints a secret key, and public the public key that belongs to it", async () => {
    const secret = await store.output("key", "generate", "cache.example.org_1+");
    const key = SecretKey.parse(secret);
    expect(key.name).toBe("cache.example.org_1+");
    const { stdout } = await store.run(["key", "public"], { input: secret });
    expect(stdout).toBe(`${key.publicKey}\n`);
    const json = await store.run(["key", "public", "--json"], { input: secret });
    expect(JSON.parse(json.stdout)).toEqual({ name: key.name, publicKey: String(key.publicKey) });
  });

  test("generate -o writes the secret key for its owner only, and prints the public key", async () => {
    const path = join(folder, "secret");
    const printed = await store.output("key", "generate", "a", "-o", path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(printed).toBe(`${SecretKey.parse(readFileSync(path, "utf8")).publicKey}\n`);
  });

  test("generate --json tells both keys, but not one that is in a file", async () => {
    const both = JSON.parse(await store.output("key", "generate", "a", "--json"));
    const key = SecretKey.parse(both.secretKey);
    expect(both).toEqual({
      name: "a",
      publicKey: String(key.publicKey),
      secretKey: key.reveal(),
    });
    const path = join(folder, "json");
    const one = JSON.parse(await store.output("key", "generate", "a", "--json", "-o", path));
    expect(Object.keys(one)).toEqual(["name", "publicKey"]);
  });

  test("generate leaves a file that is there alone", async () => {
    const path = join(folder, "old");
    writeFileSync(path, "old key");
    const { status, stdout, stderr } = await store.run(["key", "generate", "a", "-o", path]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`Cannot write "${path}": it is there already`);
    expect(readFileSync(path, "utf8")).toBe("old key");
    mkdirSync(join(folder, "dir"));
    expect((await store.run(["key", "generate", "a", "-o", join(folder, "dir")])).status).toBe(1);
  });

  const { publicKey } = SecretKey.generate("a");
  test.each([
    [["generate", "a b"], "", 2, 'Invalid key name "a b"'],
    [["generate", "a:b"], "", 2, 'Invalid key name "a:b"'],
    [["generate"], "", 2, "Missing argument"],
    [[], "", 2, "Say what to do"],
    [["public"], "", 1, "Invalid secret key: expected NAME:BASE64"],
    [["public"], String(publicKey), 1, "this is a public key"],
    [["public"], "x".repeat(1e6), 1, "too long to be a key"],
  ])("%j with %j on stdin is refused", async (args, input, status, message) => {
    const outcome = await store.run(["key", ...args], { input });
    expect([outcome.status, outcome.stdout]).toEqual([status, ""]);
    expect(outcome.stderr).toContain(message);
  });

  test("a secret key that is wrong is refused by import, without a word of it", async () => {
    const path = join(folder, "wrong");
    const secret = SecretKey.generate("a").reveal();
    writeFileSync(path, secret.slice(0, -8));
    const args = ["import", "--secret-key-file", path, "/etc/hostname"];
    const { status, stderr } = await store.run(args);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`${path}: Invalid secret key "a"`),
    ]);
    expect(stderr).not.toContain(secret.slice(2, 20));
  });
});
