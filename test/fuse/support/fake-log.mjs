/** Log lines as JSON on stdout, written at once: a thread that serves a mount never comes round to it. */
import { writeSync } from "node:fs";

const say = (level) => (fields, message) =>
  writeSync(1, `${JSON.stringify({ level, message, ...fields })}\n`);

export const fakeLog = {
  debug: say("debug"),
  info: say("info"),
  warn: say("warn"),
  error: say("error"),
};
