import {
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { NarSpool, type NarSpoolOptions } from "../../../src/store/substitution/nar-spool.js";
import { type CacheServer, cutAfter } from "../../support/cache-server.js";
import { temporaryFolder } from "../../support/temp.js";
import { Client, NAR, narOf, serveCache } from "./support/setting.js";

const CUT_AT = 200_000;
const size = (await narOf()).length;
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const names = () => readdirSync(folder);
const only = () => join(folder, names()[0] as string);

/** As a new process has it, but for its number. */
function client(server: CacheServer, options: NarSpoolOptions = {}): Client {
  return new Client([server.url], {
    spool: new NarSpool(folder, { fileBytesMin: 1000, ...options }),
    retry: { attemptsMax: 1 },
  });
}

/** Fails in the middle of the NAR; how much of it has arrived, in bytes. */
async function failMidway(server: CacheServer): Promise<number> {
  server.inject(NAR, cutAfter(server, CUT_AT), 1);
  await expect(client(server).get()).rejects.toMatchObject({ code: "unavailable" });
  expect(names()).toEqual([expect.stringMatching(/^\d+\.\d+\.nar-[0-9a-f]{32}$/)]);
  server.bytesSent = 0;
  const { size: arrived } = statSync(only());
  expect(arrived).toBeGreaterThan(CUT_AT / 2);
  return arrived;
}

it("takes a download up where it failed, and leaves nothing behind", async () => {
  using server = await serveCache();
  const arrived = await failMidway(server);
  expect(await client(server).get()).toBeDefined();
  expect(server.bytesSent).toBeLessThan(size - arrived + 2000);
  expect(names()).toEqual([]);
});

it("takes up what a process left that is gone", async () => {
  using server = await serveCache();
  const arrived = await failMidway(server);
  renameSync(only(), only().replace(/\d+\.\d+\.nar/, `${process.pid}.1.nar`));
  expect(await client(server).get()).toBeDefined();
  expect(server.bytesSent).toBeLessThan(size - arrived + 2000);
  expect(names()).toEqual([]);
});

it("leaves alone what a process writes that is there", async () => {
  using server = await serveCache();
  await failMidway(server);
  const ticks = readFileSync(`/proc/${process.ppid}/stat`, "utf8").replace(/^.*\) /s, "");
  const name = only().replace(/\d+\.\d+\.nar/, `${process.ppid}.${ticks.split(" ")[19]}.nar`);
  renameSync(only(), name);
  expect(await client(server).get()).toBeDefined();
  expect(server.bytesSent).toBeGreaterThan(size);
  expect(only()).toBe(name);
});

it("fetches all of it where a server has no ranges", async () => {
  using server = await serveCache();
  await failMidway(server);
  server.ranges = false;
  expect(await client(server).get()).toBeDefined();
  expect(server.bytesSent).toBeGreaterThan(size);
});

it("is rid of what turns out to be wrong", async () => {
  using server = await serveCache();
  await failMidway(server);
  const damaged = readFileSync(only());
  damaged[1000] = (damaged[1000] as number) ^ 1;
  writeFileSync(only(), damaged);
  await expect(client(server).get()).rejects.toMatchObject({ code: "corrupt" });
  expect(names()).toEqual([]);
  expect(await client(server).get()).toBeDefined();
});

it("does not believe what is from before the machine was started", async () => {
  using server = await serveCache();
  await failMidway(server);
  utimesSync(only(), 1, 1);
  expect(await client(server).get()).toBeDefined();
  expect(server.bytesSent).toBeGreaterThan(size);
  expect(names()).toEqual([]);
});

it("keeps nothing of small files, and of large ones only so much", async () => {
  using server = await serveCache();
  for (const options of [{ fileBytesMin: size + 1 }, { spoolBytesMax: size - 1 }]) {
    server.inject(NAR, cutAfter(server, CUT_AT), 1);
    await expect(client(server, options).get()).rejects.toMatchObject({ code: "unavailable" });
    expect(names()).toEqual([]);
  }
});
