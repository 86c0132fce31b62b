import { setFlagsFromString } from "node:v8";

/** Compiled code that is kept, Node's own and ours, is of no use to V8 any more once a flag has changed. */
const LOADED_AFTER_MS = 400;

/** Sets a flag of V8, such as `--heap-growing-percent=300`, once a command has loaded most of what it needs. */
export function setFlagWhenLoaded(flag: string): void {
  setTimeout(() => setFlagsFromString(flag), LOADED_AFTER_MS).unref();
}
