/**
 * Before all tests: finds the Python itself. What is called `python3` may be a script that looks for it first, each
 * time, which takes longer than most of what it is asked to do.
 */
import { execFileSync } from "node:child_process";

export default function setup(): void {
  const printed = execFileSync("python3", ["-c", "import sys; print(sys.executable)"]);
  process.env["TEST_PYTHON"] = printed.toString().trimEnd();
}
