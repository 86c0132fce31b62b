import { isStoreError, messageOf } from "../base/errors.js";
import type { EngineMount, EngineName, MountEngine, MountOptions } from "./engine.js";

/** Mounts with the first of several engines that can run on this machine. */
export class FirstEngine implements MountEngine {
  readonly #engines: readonly [MountEngine, ...MountEngine[]];

  constructor(...engines: readonly [MountEngine, ...MountEngine[]]) {
    this.#engines = engines;
  }

  get name(): EngineName {
    return this.#engines[0].name;
  }

  /** @throws what the last engine throws, or one that can run here but failed. */
  async mount(options: MountOptions): Promise<EngineMount> {
    const [best, ...others] = this.#engines;
    try {
      return await best.mount(options);
    } catch (error) {
      const [next, ...rest] = others;
      if (next === undefined || !isStoreError(error, "unsupported")) throw error;
      options.log.warn({ engine: best.name }, `Trying ${next.name}: ${messageOf(error)}`);
      return await new FirstEngine(next, ...rest).mount(options);
    }
  }
}
