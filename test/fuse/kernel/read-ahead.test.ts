import { expect, test } from "vitest";
import { raiseReadAhead } from "../../../src/fuse/kernel/read-ahead.js";
import { RecordingLog } from "../support/recording-log.js";

// That it is raised is shown in device-mount.kernel.test.ts.
test("raiseReadAhead() goes on without where there is no such device", () => {
  const log = new RecordingLog();
  raiseReadAhead("no-such-device", log);
  expect(log.lines).toMatchObject([{ level: "debug", message: expect.stringContaining("ENOENT") }]);
});
