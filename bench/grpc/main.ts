/**
 * The store over gRPC against bare grpc-js, in one run: `make bench-grpc`.
 *
 *   TVIX_BENCH_ROUNDS   how often everything is measured, 5 unless given
 */
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuPressure, describeMachine } from "../support/machine.js";
import { CLI, inRepository } from "../support/run.js";
import { inTurn } from "../support/statistics.js";
import { EchoClient } from "./echo-client.js";
import { linesFor } from "./lines.js";
import { prepare } from "./prepare.js";
import { type Measured, type MemoryState, report } from "./report.js";
import { startServer } from "./server.js";
import { connectStore } from "./store-client.js";
import { WrittenFiles } from "./written-files.js";

const ROUNDS = Number(process.env["TVIX_BENCH_ROUNDS"] ?? 5);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const folder = mkdtempSync(join(memoryFolder(), "tvix-store-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

const sockets = { ours: join(folder, "ours"), bare: join(folder, "bare") };
const storeFolder = join(folder, "store");
const store = ["--store-dir", storeFolder, "--log-level", "error"];
const listen = ["-l", `unix:${sockets.ours}`, "-l", "127.0.0.1:0"];
const daemon = await startServer([CLI, "daemon", ...store, ...listen], sockets.ours);
const echo = await startServer(
  [inRepository("bench/build/grpc/echo-server.js"), `unix:${sockets.bare}`],
  sockets.bare,
);
try {
  const transports = (["tcp", "unix"] as const).map((transport) => ({
    transport,
    ours: connectStore(daemon.targets[transport]),
    bare: new EchoClient(echo.targets[transport]),
  }));
  say("Filling the store");
  const stored = await prepare((transports[0] as (typeof transports)[0]).ours);
  const written = new WrittenFiles(storeFolder);
  const measured: Measured[] = linesFor(stored).flatMap((line) =>
    transports.map(({ transport }) => ({ line, transport, ours: [], bare: [] })),
  );
  const memory: MemoryState[] = [];
  // The first round only warms up.
  for (let round = -1; round < ROUNDS; round++) {
    say(`Round ${round + 1} of ${ROUNDS}`);
    for (const each of measured) {
      const clients = transports.find(({ transport }) => transport === each.transport);
      if (clients === undefined) continue;
      for (const who of inTurn(["ours", "bare"] as const, round)) {
        const started = performance.now();
        if (who === "ours") await each.line.ours(clients.ours);
        else await each.line.bare(clients.bare);
        const rate = each.line.amount / ((performance.now() - started) / 1000);
        if (round >= 0) each[who].push(rate);
        written.remove();
      }
    }
    const residentMib = process.memoryUsage.rss() / 2 ** 20;
    memory.push({ daemon: daemon.memory(), client: { residentMib } });
  }
  const text = report(measured, memory, {
    machine: describeMachine(folder),
    rounds: ROUNDS,
    cpuPressure: cpuPressure(),
  });
  const docs = inRepository("docs/bench");
  mkdirSync(docs, { recursive: true });
  writeFileSync(join(docs, "grpc.md"), text);
  console.log(text);
} finally {
  await Promise.all([daemon.stop(), echo.stop()]);
}
process.exit();

/** Memory, so that no disk is waited for; a disk where there is none to be had. */
function memoryFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}
