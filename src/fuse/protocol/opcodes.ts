/** Request numbers of the FUSE protocol (linux/fuse.h) that a read-only file system meets. */
export const OP = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  readlink: 5,
  open: 14,
  read: 15,
  statfs: 17,
  release: 18,
  getxattr: 22,
  listxattr: 23,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  access: 34,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  readdirplus: 44,
  lseek: 46,
  statx: 52,
} as const;

const NAMES = new Map<number, string>(Object.entries(OP).map(([name, number]) => [number, name]));

/** The name of a request, for the log. */
export function operationName(opcode: number): string {
  return NAMES.get(opcode) ?? `do operation ${opcode} on`;
}
