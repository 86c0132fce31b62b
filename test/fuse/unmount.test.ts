import { expect, test } from "vitest";
import { detachCommand, unmountCommand } from "../../src/fuse/unmount.js";

test("detachCommand() can be pasted into a shell", () => {
  expect(detachCommand("/mnt/plain-name_1")).toMatch(
    /^(umount -l|fusermount3 -uz) \/mnt\/plain-name_1$/,
  );
  expect(unmountCommand("/mnt/plain")).toMatch(/^(umount|fusermount3 -u) \/mnt\/plain$/);
  expect(detachCommand("/mnt/it's here")).toMatch(/ '\/mnt\/it'\\''s here'$/);
});
