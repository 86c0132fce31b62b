/**
 * Runs anew for each test file. What a test file imports may have been loaded for another one, whose end its hooks
 * would then wait for.
 */
import { afterAll } from "vitest";
import { endFile } from "./temp.js";

/** For a hundred thousand files on a busy machine. */
const REMOVAL_MS = 300_000;

afterAll(endFile, REMOVAL_MS);
