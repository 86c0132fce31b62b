import { describe, expect, test } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { answer } from "../../src/fuse/answer.js";
import { ReplyError } from "../../src/fuse/errno.js";
import { RecordingLog } from "./support/recording-log.js";

const request = { operation: "read", path: "/a\nb" };

/** What `answer` replies and logs for a handler. */
function run(handle: () => [number, ...string[]]) {
  const log = new RecordingLog();
  const replies: unknown[][] = [];
  answer<string[]>(log, request, (...reply) => replies.push(reply), handle);
  return { replies, lines: log.lines };
}

function thrower(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

describe("answer()", () => {
  test("passes on status and results", () => {
    expect(run(() => [0, "a", "b"])).toEqual({ replies: [[0, "a", "b"]], lines: [] });
    expect(run(() => [42])).toEqual({ replies: [[42]], lines: [] });
  });

  test.each([
    new StoreError("dangling-reference", "blob b3:00 is gone"),
    new StoreError("corrupt", "blob b3:00 is damaged"),
    new StoreError("unavailable", "busy"),
    new TypeError("bug"),
    "text",
    undefined,
    null,
    0,
  ])("answers %s once with EIO and logs it", (thrown) => {
    const { replies, lines } = run(thrower(thrown));
    expect(replies).toEqual([[-5]]);
    expect(lines.length).toBe(1);
    expect(lines[0]?.level).toBe("error");
  });

  test.each([
    [new StoreError("permission-denied", "x"), -1],
    [new StoreError("not-found", "x"), -116],
    [new StoreError("invalid-argument", "x"), -22],
    [new ReplyError(20, "x"), -20],
  ])("answers %s once, without a log line", (thrown, status) => {
    expect(run(thrower(thrown))).toEqual({ replies: [[status]], lines: [] });
  });

  test("logs path, code and message, and a stack for bugs alone", () => {
    const [hole] = run(thrower(new StoreError("corrupt", "b3:00 is damaged"))).lines;
    expect(hole?.message).toBe('Cannot read "/a\\x0ab": b3:00 is damaged');
    expect(hole?.fields).toMatchObject({ operation: "read", path: '"/a\\x0ab"', code: "corrupt" });
    expect(hole?.fields["stack"]).toBeUndefined();
    const [bug] = run(thrower(new TypeError("bug"))).lines;
    expect(bug?.fields["code"]).toBe("internal");
    expect(bug?.fields["stack"]).toContain("TypeError: bug");
  });

  test("has answered by the time the log fails", () => {
    const replies: unknown[][] = [];
    const log = new RecordingLog();
    log.error = () => {
      throw new Error("disk full");
    };
    const run = () => answer(log, request, (...reply) => replies.push(reply), thrower("x"));
    expect(run).toThrow("disk full");
    expect(replies).toEqual([[-5]]);
  });

  test("answers EIO when the reply itself throws before it goes out", () => {
    const replies: unknown[][] = [];
    const reply = (...parts: unknown[]): void => {
      if (parts.length > 1) throw new RangeError("does not fit");
      replies.push(parts);
    };
    answer<[string]>(new RecordingLog(), request, reply, () => [0, "a"]);
    expect(replies).toEqual([[-5]]);
  });
});
