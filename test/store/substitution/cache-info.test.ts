import { describe, expect, test } from "vitest";
import { parseCacheInfo } from "../../../src/store/substitution/cache-info.js";

const parse = (text: string) => parseCacheInfo(Buffer.from(text));

describe("parseCacheInfo()", () => {
  test.each([
    ["StoreDir: /nix/store\n", 50],
    ["StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n", 40],
    ["Priority: 30\nStoreDir: /nix/store", 30],
    ["StoreDir:/nix/store\r\nPriority:7\r\nNew: thing\r\n", 7],
  ])("reads %j", (text, priority) => {
    expect(parse(text)).toEqual({ priority });
  });

  test.each([
    ["StoreDir: /gnu/store\n", /for the store "\/gnu\/store", not for \/nix\/store/],
    ["<html>", /names no StoreDir/],
    ["", /names no StoreDir/],
    ["StoreDir: /nix/store\nPriority: high\n", /"high" is not a number/],
    ["StoreDir: /nix/store\nPriority: -1\n", /"-1" is not a number/],
  ])("refuses %j", (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});
