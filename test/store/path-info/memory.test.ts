import { describe } from "vitest";
import { MemoryPathInfoService } from "../../../src/store/path-info/memory.js";
import { pathInfoServiceConformance } from "../../conformance/path-info-service.js";

describe("MemoryPathInfoService", () =>
  pathInfoServiceConformance({
    traits: { persistent: false, list: true },
    open: async () => new MemoryPathInfoService(),
  }));
