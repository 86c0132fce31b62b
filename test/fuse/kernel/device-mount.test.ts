import { expect, test } from "vitest";
import { mountFailure } from "../../../src/fuse/kernel/device-mount.js";

test.each([
  ["EBUSY", "docker-default (enforce)", /^unavailable: Cannot mount at \/m: EBUSY$/],
  ["EACCES", "", /^permission-denied: Cannot mount at \/m: EACCES$/],
  ["EACCES", "unconfined", /^permission-denied: Cannot mount at \/m: EACCES$/],
  [
    "EACCES",
    "docker-default (enforce)",
    /^permission-denied: .* profile docker-default .* --security-opt apparmor=unconfined$/,
  ],
])(
  "Where mount(2) fails with %s under the profile %j, it is said what helps",
  (reason, profile, said) => {
    const { code, message } = mountFailure("/m", reason, profile);
    expect(`${code}: ${message}`).toMatch(said);
  },
);
