import { createRequire } from "node:module";
import { dirname } from "node:path";

/** Loads an addon, from where it was built in `folder` or from what is installed for this machine. */
type LoadAddon = (folder: string) => unknown;

/**
 * The native half of LMDB's package. The bundle (`scripts/bundle.mjs`) has it in place of how the package looks for that
 * itself: in several folders, in the name of the C library, and from where its JavaScript lies. On most machines it is
 * in one place, and there in half a millisecond instead of seven.
 */
export default function lmdbAddon(): unknown {
  const main = createRequire(import.meta.url).resolve("lmdb");
  const requireAsPackage = createRequire(main);
  const { arch, platform, versions } = process;
  try {
    return requireAsPackage(
      `@lmdb/lmdb-${platform}-${arch}/node.abi${versions.modules}.glibc.node`,
    );
  } catch {
    // Another C library or Node, or it was compiled when it was installed.
    const load = requireAsPackage("node-gyp-build-optional-packages") as LoadAddon;
    return load(dirname(dirname(main)));
  }
}
