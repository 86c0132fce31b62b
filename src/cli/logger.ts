/**
 * Log lines on stderr. The logging library is loaded with the first line: most commands write none.
 */
import type { Logger as Pino } from "pino";
import type { LogFields, Logger } from "../base/log.js";
import { require } from "../base/require.js";

export interface LogArguments {
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error";
  readonly logFormat: "pretty" | "json";
}

const LEVELS = ["trace", "debug", "info", "warn", "error"];

export function createLogger({ logLevel, logFormat }: LogArguments): Logger {
  let pino: Pino | undefined;
  const write = (
    level: "debug" | "info" | "warn" | "error",
    fields: LogFields,
    message: string,
  ) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(logLevel)) return;
    pino ??= logFormat === "json" ? jsonLogger(logLevel) : prettyLogger(logLevel);
    pino[level](fields, message);
  };
  return {
    debug: (fields, message) => write("debug", fields, message),
    info: (fields, message) => write("info", fields, message),
    warn: (fields, message) => write("warn", fields, message),
    error: (fields, message) => write("error", fields, message),
  };
}

const STDERR = 2;

function jsonLogger(level: string): Pino {
  const { pino } = require("pino") as typeof import("pino");
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: STDERR, sync: true }),
  );
}

function prettyLogger(level: string): Pino {
  const { pino } = require("pino") as typeof import("pino");
  const { build } = require("pino-pretty") as typeof import("pino-pretty");
  return pino(
    { level, base: null },
    build({
      destination: STDERR,
      sync: true,
      colorize: process.stderr.isTTY,
      translateTime: "SYS:HH:MM:ss",
      ignore: "pid,hostname",
      singleLine: true,
    }),
  );
}
