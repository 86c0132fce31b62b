import { execFileSync } from "node:child_process";

/** Python 3, as find-python.ts found it. */
export const PYTHON = process.env["TEST_PYTHON"] ?? "python3";

/** What the Python program makes of `input`: it reads `sys.stdin.buffer` as `data` and sets `out`. */
export function python(program: string, input: Uint8Array): Buffer {
  const lines = [
    "import sys",
    "data = sys.stdin.buffer.read()",
    program,
    "sys.stdout.buffer.write(out)",
  ];
  const maxBuffer = 256 * 1024 * 1024;
  return execFileSync(PYTHON, ["-c", lines.join("\n")], { input, maxBuffer });
}
