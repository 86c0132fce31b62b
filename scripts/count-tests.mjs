// count-tests.mjs REPORT CODE: names what failed in vitest's JSON report, and sums it up in one line.
// CODE is how the whole run ended: a failure that no test accounts for counts as one failed.
import { readFileSync } from "node:fs";

const [file, code] = process.argv.slice(2);

let passed = 0;
let failed = 0;
let skipped = 0;

let suites = [];
try {
  suites = JSON.parse(readFileSync(file, "utf8")).testResults;
} catch {
  // The run never got as far as the tests, or was cut off.
}

for (const suite of suites) {
  const before = failed;
  const fail = (what) => {
    failed += 1;
    console.log(`FAILED ${suite.name} > ${what}`);
  };
  for (const { status, fullName, failureMessages } of suite.assertionResults) {
    if (status === "passed") passed += 1;
    else if (status === "failed") fail(`${fullName}: ${firstLine(failureMessages[0])}`);
    else skipped += 1;
  }
  // A file that cannot be loaded, or whose hooks fail, is a failure without a failed test.
  if (suite.status === "failed" && failed === before) fail(firstLine(suite.message));
}

if (code !== "0" && failed === 0) failed = 1;

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);

function firstLine(text = "") {
  return text.split("\n", 1)[0];
}
