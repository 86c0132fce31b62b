/**
 * The least that Node takes for the NARs of a closure: fetched, decompressed, hashed (the file and the NAR with
 * SHA-256, the content with BLAKE3), written and synced, by compiled code on other threads wherever there is some. There is
 * no store: a NAR becomes one file, nothing is looked at and nothing is compared.
 *
 *   node bare-node.js CACHE-URL FOLDER NAR...     NARs by their `URL`, compressed with zstd
 */
import { open } from "node:fs/promises";
import { Agent, get, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import koffi from "koffi";

const AT_ONCE = 8;
const INPUT_BYTES_MIN = 128 * 1024;
const OUTPUT_BYTES = 512 * 1024;
/** Less is hashed sooner than another thread hears of it. */
const ASIDE_BYTES_MIN = 64 * 1024;
/** `ZSTD_inBuffer` and `ZSTD_outBuffer`: address, size, position. */
const BUFFER_BYTES = 24;
/** More than the states of SHA-256 and of BLAKE3 take. */
const STATE_BYTES = 4096;

const libzstd = koffi.load("libzstd.so.1");
const openSsl = koffi.load(null);
const blake3 = koffi.load(
  createRequire(import.meta.url).resolve("@c4312/blake3-native/build/Release/blake3.node"),
);
const newContext = libzstd.func("void *ZSTD_createDCtx()");
const decompress = libzstd.func("size_t ZSTD_decompressStream(void *context, void *out, void *in)");
const isError = libzstd.func("unsigned int ZSTD_isError(size_t result)");
const startSha256 = openSsl.func("int SHA256_Init(void *state)");
const sha256 = openSsl.func("int SHA256_Update(void *state, void *bytes, size_t length)");
const startBlake3 = blake3.func("void blake3_hasher_init(void *state)");
const hashBlake3 = blake3.func(
  "void blake3_hasher_update(void *state, void *bytes, size_t length)",
);

type Native = ReturnType<typeof libzstd.func>;

function aside(native: Native, ...args: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error: unknown, result: number) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}

async function hash(native: Native, state: Buffer, bytes: Uint8Array): Promise<void> {
  if (bytes.length < ASIDE_BYTES_MIN) native(state, bytes, bytes.length);
  else await aside(native, state, bytes, bytes.length);
}

const [cache, folder, ...nars] = process.argv.slice(2) as [string, string, ...string[]];
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
let next = 0;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < nars.length) await take(nars[next++] as string);
  }),
);
agent.destroy();

async function take(nar: string): Promise<void> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${cache}/${nar}`, { agent }, resolve).on("error", reject);
  });
  const [ofFile, ofNar, ofContent] = [0, 0, 0].map(() => Buffer.alloc(STATE_BYTES)) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  startSha256(ofFile);
  startSha256(ofNar);
  startBlake3(ofContent);
  await using file = await open(join(folder, nar.replaceAll("/", "-")), "w");
  let written: Promise<unknown> = Promise.resolve();
  let length = 0;
  for await (const piece of decompressed(gathered(answer), ofFile)) {
    // One piece is decompressed while the one before is hashed and written.
    await written;
    written = Promise.all([
      hash(sha256, ofNar, piece),
      hash(hashBlake3, ofContent, piece),
      file.write(piece, 0, piece.length, length),
    ]);
    length += piece.length;
  }
  await written;
  await file.datasync();
}

async function* gathered(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of source) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < INPUT_BYTES_MIN) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces);
}

/** Each piece until the next but one. */
async function* decompressed(
  source: AsyncIterable<Buffer>,
  ofFile: Buffer,
): AsyncGenerator<Buffer> {
  const context = newContext();
  const [input, output] = [Buffer.alloc(BUFFER_BYTES), Buffer.alloc(BUFFER_BYTES)];
  const memory = [0, 0].map(() => Buffer.allocUnsafeSlow(OUTPUT_BYTES));
  for await (const piece of source) {
    const hashed = hash(sha256, ofFile, piece);
    point(input, piece);
    for (let isFull = true; isFull || position(input) < piece.length; ) {
      const [room] = memory as [Buffer];
      point(output, room);
      const result = await aside(decompress, context, output, input);
      if (isError(result) !== 0) throw new Error(`Cannot decompress: ${result}`);
      isFull = position(output) === room.length;
      if (position(output) === 0) continue;
      yield room.subarray(0, position(output));
      memory.reverse();
    }
    await hashed;
  }
}

function point(buffer: Buffer, bytes: Uint8Array): void {
  buffer.writeBigUInt64LE(koffi.address(bytes), 0);
  buffer.writeBigUInt64LE(BigInt(bytes.length), 8);
  buffer.writeBigUInt64LE(0n, 16);
}

function position(buffer: Buffer): number {
  return Number(buffer.readBigUInt64LE(16));
}
