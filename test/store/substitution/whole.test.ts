import { describe, expect, test } from "vitest";
import { findMissing } from "../../../src/store/completeness.js";
import type { PathInfo } from "../../../src/store/path-info.js";
import { status } from "../../support/cache-server.js";
import { Client, NARINFO, newCache, STORE_PATH, serveCache } from "./support/setting.js";

/** A store that knows all about the path and has none of its blobs, as a mount of another store leaves it. */
async function hollow(url: string): Promise<{ client: Client; pathInfo: PathInfo }> {
  const whole = new Client([url]);
  const pathInfo = (await whole.get()) as PathInfo;
  const client = new Client([url]);
  await client.local.put(pathInfo);
  return { client, pathInfo };
}

describe("A store path of which only the path info is here", () => {
  test("is offered by who has all of it, and fetched from there", async () => {
    using server = await serveCache(await newCache());
    const { client, pathInfo } = await hollow(server.url);
    expect(await findMissing(pathInfo.node, client.services)).toBeDefined();
    expect(await client.pathInfos.describe(STORE_PATH.hash)).toHaveProperty("narinfo");
    expect(await client.pathInfos.getWhole(STORE_PATH.hash)).toEqual(pathInfo);
    expect(await findMissing(pathInfo.node, client.services)).toBeUndefined();
    expect(await client.pathInfos.describe(STORE_PATH.hash)).toEqual(pathInfo);
    const requests = server.requests.length;
    expect(await client.pathInfos.getWhole(STORE_PATH.hash)).toEqual(pathInfo);
    expect(server.requests).toHaveLength(requests);
  });

  test("is said to be incomplete when nobody has it", async () => {
    using server = await serveCache(await newCache());
    const { client } = await hollow(server.url);
    server.inject(NARINFO, status(404));
    await expect(client.pathInfos.describe(STORE_PATH.hash)).rejects.toMatchObject({
      code: "dangling-reference",
      message: `Not all of ${STORE_PATH} is in the store, and no substituter has it`,
    });
  });
});
