/**
 * What runs first in a thread that serves a mount.
 */
import { useCompiledCode } from "./compiled-code.js";

useCompiledCode();
void import("./mount-worker.js");
