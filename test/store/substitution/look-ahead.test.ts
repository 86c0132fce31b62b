import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import { StorePath } from "../../../src/store/store-path.js";
import type { BinaryCache } from "../../../src/store/substitution/binary-cache.js";
import { CircuitBreaker } from "../../../src/store/substitution/circuit-breaker.js";
import { type Offer, Upstream } from "../../../src/store/substitution/upstream.js";
import { Upstreams } from "../../../src/store/substitution/upstreams.js";

const [ITSELF, OTHER] = ["0", "1"].map((digit) => StorePath.parse(`${digit.repeat(32)}-path`)) as [
  StorePath,
  StorePath,
];

afterEach(() => vi.useRealTimers());

/** An upstream that is near or not, what it was asked for, and an offer of it. */
function offerOf(isNear: boolean) {
  const find = vi.fn(async () => undefined);
  const upstream = { isNear, find, close: () => {} } as unknown as Upstream;
  const narinfo = { storePath: ITSELF, references: [ITSELF, OTHER] };
  return { upstream, find, offer: { upstream, narinfo } as unknown as Offer };
}

/** One whose cache lacks everything, and says so after `ms`. */
function upstreamAnswering(ms: () => number): Upstream {
  const cache = {
    address: "https://cache.test",
    narinfo: async () => void (await sleep(ms())),
    info: async () => ({ priority: 40 }),
  } as unknown as BinaryCache;
  const breaker = new CircuitBreaker({ name: cache.address, onOpen: () => {} });
  return new Upstream({ cache, breaker, keys: [], checkSignatures: true });
}

test("A cache far away is asked at once about all that an offer refers to but itself", () => {
  const { upstream, find, offer } = offerOf(false);
  new Upstreams([upstream]).lookAhead(offer);
  expect(find.mock.calls).toEqual([[OTHER.hash, expect.anything()]]);
});

test("A cache nearby is asked when whoever wanted the offer may have it", () => {
  vi.useFakeTimers();
  const { upstream, find, offer } = offerOf(true);
  new Upstreams([upstream]).lookAhead(offer);
  vi.advanceTimersByTime(50);
  expect(find).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100);
  expect(find.mock.calls).toEqual([[OTHER.hash, expect.anything()]]);
});

test("A cache is near once it has answered soon, whatever else it took its time for", async () => {
  const times = [50, 0, 50];
  const upstream = upstreamAnswering(() => times.shift() as number);
  expect(upstream.isNear).toBe(false);
  await upstream.find(ITSELF.hash);
  expect(upstream.isNear).toBe(false);
  await upstream.find(OTHER.hash);
  expect(upstream.isNear).toBe(true);
  await upstream.find(new Uint8Array(20).fill(7));
  expect(upstream.isNear).toBe(true);
});
