/**
 * What is measured: each line once with our client and daemon, once with bare grpc-js.
 */
import type { EchoClient } from "./echo-client.js";
import type { Blobs, Digest, StoreClient } from "./store-client.js";

export const MIB = 1024 * 1024;
/** Of large blobs, in all streams together. */
const LARGE_MIB = 256;
const CALLS = 2000;
const CALLS_IN_FLIGHT = 32;
export const DIRECTORIES = 50_051;

/** What there is at the daemon. */
export interface Stored {
  /** Noise of {@link LARGE_MIB}. */
  readonly content: Buffer;
  /** All of it as one blob, and its four parts as one each. */
  readonly large: { readonly whole: Digest; readonly parts: readonly Digest[] };
  readonly small: Digest;
  readonly smallBytes: number;
  readonly pathInfoHash: Uint8Array;
  readonly pathInfoBytes: number;
  readonly root: Digest;
  readonly directoryBytes: number;
}

export interface Line {
  readonly title: string;
  readonly unit: "MB/s" | "calls/s" | "directories/s";
  /** How much of the unit one run is. */
  readonly amount: number;
  /** At least so many times what bare grpc-js does. */
  readonly target?: number;
  readonly ours: (client: StoreClient) => Promise<unknown>;
  readonly bare: (client: EchoClient) => Promise<unknown>;
}

export function linesFor(stored: Stored): Line[] {
  const megabytes = (LARGE_MIB * MIB) / 1e6;
  const many = (call: () => Promise<unknown>) => inFlight(CALLS, CALLS_IN_FLIGHT, call);
  return [
    ...[1, 4].flatMap((streams): Line[] => {
      const suffix = `${streams} stream${streams === 1 ? "" : "s"}`;
      const mib = LARGE_MIB / streams;
      const { whole, parts } = stored.large;
      const digests = streams === 1 ? [whole] : parts;
      return [
        {
          title: `blob read, ${suffix}`,
          unit: "MB/s",
          amount: megabytes,
          target: 0.8,
          ours: ({ blobs }) => Promise.all(digests.map((digest) => read(blobs, digest))),
          bare: (echo) => Promise.all(digests.map(() => echo.download(mib, MIB))),
        },
        {
          title: `blob write, ${suffix}`,
          unit: "MB/s",
          amount: megabytes,
          target: 0.8,
          ours: ({ blobs }) =>
            Promise.all(digests.map((_, at) => write(blobs, stored.content, at * mib, mib))),
          bare: (echo) => Promise.all(digests.map(() => echo.upload(mib, MIB))),
        },
      ];
    }),
    {
      title: `blobs of ${stored.smallBytes} bytes, ${CALLS_IN_FLIGHT} at once`,
      unit: "calls/s",
      amount: CALLS,
      ours: ({ blobs }) => many(() => read(blobs, stored.small)),
      bare: (echo) => many(() => echo.download(1, stored.smallBytes)),
    },
    {
      title: `path infos, ${CALLS_IN_FLIGHT} at once`,
      unit: "calls/s",
      amount: CALLS,
      ours: ({ pathInfos }) => many(() => pathInfos.get(stored.pathInfoHash)),
      bare: (echo) => many(() => echo.ask(stored.pathInfoBytes)),
    },
    {
      title: `a closure of ${DIRECTORIES.toLocaleString("en")} directories`,
      unit: "directories/s",
      amount: DIRECTORIES,
      ours: async ({ directories }) => {
        for await (const _directory of directories.getRecursive(stored.root));
      },
      bare: (echo) => echo.download(DIRECTORIES, stored.directoryBytes),
    },
  ];
}

async function read(blobs: Blobs, digest: Digest): Promise<void> {
  await using reader = await blobs.openRead(digest);
  if (reader === undefined) throw new Error(`${digest} is not there`);
  for await (const _piece of reader.stream());
}

let writes = 0;

/** A blob that was never there: so many mebibytes of `content`, but for its first bytes. */
async function write(blobs: Blobs, content: Buffer, fromMib: number, mib: number): Promise<void> {
  await using writer = await blobs.openWrite();
  const first = Buffer.from(content.subarray(fromMib * MIB, (fromMib + 1) * MIB));
  first.writeUInt32LE(++writes);
  await writer.write(first);
  for (let at = fromMib + 1; at < fromMib + mib; at++) {
    await writer.write(content.subarray(at * MIB, (at + 1) * MIB));
  }
  await writer.close();
}

async function inFlight(calls: number, atOnce: number, call: () => Promise<unknown>) {
  let left = calls;
  const work = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** The content of large blobs. */
export function noiseBytes(): number {
  return LARGE_MIB * MIB;
}
