/**
 * From a file into a pipe without a copy: the kernel gives the reader of the pipe the pages of the file.
 */
import type { FilePlace } from "../base/file-piece.js";
import { type LibC, libc } from "../base/libc.js";

const F_SETPIPE_SZ = 1031;
/** As much as anyone may ask for where the system has not been told otherwise. */
const PIPE_BYTES = 1024 * 1024;

/** Undefined until the first call, `null` where it cannot be done. */
let library: LibC | null | undefined;

/**
 * Moves `length` bytes from `place` into `pipe`, as fast as its reader takes them, in another thread.
 *
 * @returns how many bytes went; fewer where it cannot be done, and then writing the next one will do or tell why.
 */
export async function splice(place: FilePlace, length: number, pipe: number): Promise<number> {
  if (library === undefined) library = prepare(pipe);
  if (library === null) return 0;
  const { splice } = library;
  const offset = new BigInt64Array([BigInt(place.offset)]);
  for (let done = 0; done < length; ) {
    const rest = length - done;
    const moved = await new Promise<number>((resolve, reject) => {
      splice.async(place.descriptor, offset, pipe, null, rest, 0, (error, moved) =>
        error === null ? resolve(moved) : reject(error),
      );
    });
    if (moved <= 0) return done;
    done += moved;
  }
  return length;
}

function prepare(pipe: number): LibC | null {
  try {
    const library = libc();
    // The reader wakes up for as much as the pipe holds. It may keep the size it has.
    library.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES);
    return library;
  } catch {
    return null;
  }
}
