/** A thread that serves the file system of serve-fake.mjs with the kernel engine. */
import { serveWorker } from "../../../build/fuse/kernel/serve-worker.js";
import { fakeLog } from "./fake-log.mjs";
import { fakeFileSystem } from "./fake-tree.mjs";

await serveWorker((recipe) => ({ fileSystem: fakeFileSystem(recipe), log: fakeLog }));
