#!/usr/bin/env node
/**
 * What runs first.
 */
import { useCompiledCode } from "./compiled-code.js";

useCompiledCode();
void import("./main.js");
