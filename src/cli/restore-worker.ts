/**
 * A thread that makes files beside the one that restores.
 */
import { serveRestore } from "../store/nar/restore-helper.js";

serveRestore();
