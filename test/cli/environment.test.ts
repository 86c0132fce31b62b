import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();
const file = join(folder, "file");
const HASH = "00000000000000000000000000000000";

beforeAll(() => writeFileSync(file, noise(100_000)));

describe("Options from the environment", () => {
  test("name the store directory, unless the command line does", async () => {
    const store = new TestStore(join(folder, "from environment"));
    const other = join(folder, "from option");
    const path = await store.import(file);
    expect(existsSync(join(store.folder, "FORMAT"))).toBe(true);
    expect(await store.import(file, "--store-dir", other)).toBe(path);
    expect(await store.output("ls", path, "--store-dir", "nowhere", "--store-dir", other)).toBe(
      `${basename(path)}\n`,
    );
  });

  test("that are empty count as not given", async () => {
    const store = new TestStore(join(folder, "empty"));
    const path = await store.import(file);
    const { status, stdout } = await store.run(["path-info", path], {
      env: { BLOB_SERVICE_ADDR: "", DIRECTORY_SERVICE_ADDR: "", TVIX_JSON: "", TVIX_SIZE: "" },
    });
    expect([status, stdout]).toEqual([0, `${path}\n`]);
  });

  test("switch on and off, and give way to the command line", async () => {
    const store = new TestStore(join(folder, "switches"));
    const path = await store.import(file);
    const info = (args: string[], json: string) =>
      store.run(["path-info", path, ...args], { env: { TVIX_JSON: json } });
    for (const yes of ["1", "true", "yes"]) {
      expect(JSON.parse((await info([], yes)).stdout)).toMatchObject([{ path }]);
    }
    expect((await info([], "no")).stdout).toBe(`${path}\n`);
    expect((await info(["--no-json"], "yes")).stdout).toBe(`${path}\n`);
  });

  test("may be fractions, as on the command line", async () => {
    const store = new TestStore(join(folder, "fractions"));
    const path = await store.import(file);
    const env = { TVIX_CONNECT_TIMEOUT: "2.5", TVIX_STALL_TIMEOUT: "0.5" };
    expect((await store.run(["path-info", path], { env })).status).toBe(0);
    const wrong = await store.run(["path-info", path], { env: { TVIX_STALL_TIMEOUT: "1.x" } });
    expect(wrong.stderr).toContain('TVIX_STALL_TIMEOUT is "1.x", expected a number');
  });

  test("name what is imported", async () => {
    const store = new TestStore(join(folder, "name"));
    const outcome = await store.run(["import", file], { env: { TVIX_NAME: "other" } });
    expect(outcome.stdout).toMatch(/-other\n$/);
  });

  test("are refused with exit code 2 when they make no sense", async () => {
    const store = new TestStore(join(folder, "nonsense"));
    const outcome = await store.run(["ls", HASH], { env: { TVIX_LONG: "perhaps" } });
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(outcome.stderr).toContain('TVIX_LONG is "perhaps", expected yes or no');
  });
});

describe("Service addresses", () => {
  test("keep blobs, directories and path infos in stores of their own", async () => {
    const at = (name: string) => join(folder, "parts", name);
    mkdirSync(at(""), { recursive: true });
    const tree = join(folder, "tree");
    mkdirSync(tree);
    writeFileSync(join(tree, "large"), noise(200_000));
    const env = {
      BLOB_SERVICE_ADDR: `local://${at("blobs with space").replace(" ", "%20")}`,
      DIRECTORY_SERVICE_ADDR: `local://${at("directories")}`,
      PATH_INFO_SERVICE_ADDR: `local://${at("path-infos")}`,
    };
    const store = new TestStore(at("unused"));
    const imported = await store.run(["import", tree], { env });
    expect(imported).toMatchObject({ status: 0, stderr: "" });
    const path = imported.stdout.trimEnd();
    expect((await store.run(["ls", "-l", path], { env })).stdout).toContain(" 200000 ./large");
    expect(existsSync(at("unused"))).toBe(false);
    expect(existsSync(join(at("blobs with space"), "FORMAT"))).toBe(true);

    const withoutBlobs = await store.run(["cat", `${path}/large`], {
      env: { ...env, BLOB_SERVICE_ADDR: "memory://" },
    });
    expect(withoutBlobs).toMatchObject({ status: 1, stdout: "" });
    expect(withoutBlobs.stderr).toMatch(/Blob blake3-\S+ of .*\/large is missing from the store/);
  });

  test("in memory hold nothing that outlives the command", async () => {
    const store = new TestStore(join(folder, "memory"));
    const env = Object.fromEntries(
      ["BLOB", "DIRECTORY", "PATH_INFO"].map((name) => [`${name}_SERVICE_ADDR`, "memory://"]),
    );
    const imported = await store.run(["import", file], { env });
    expect(imported.stdout).toMatch(/-file\n$/);
    expect((await store.run(["path-info", "--all"], { env })).stdout).toBe("");
    expect(existsSync(store.folder)).toBe(false);
  });
});

describe("A store directory", () => {
  test("of another format is refused, saying what to do", async () => {
    const store = new TestStore(join(folder, "future"));
    mkdirSync(store.folder);
    writeFileSync(join(store.folder, "FORMAT"), "tvix-store 2\n");
    for (const args of [
      ["import", file],
      ["path-info", "--all"],
    ]) {
      const { status, stderr } = await store.run(args);
      expect(status).toBe(1);
      expect(stderr).toMatch(/has format "tvix-store 2".*another --store-dir\n$/);
    }
  });

  test("is not made where something else lies", async () => {
    const { status, stderr } = await new TestStore("/etc").run(["import", file]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^tvix-store: \/etc is not a store and not empty/);
  });
});
