/**
 * The structures of linux/fuse.h that a read-only file system meets, written down by hand: for each field
 * its offset and its width in bytes. layouts.test.ts compares them with the header where there is one.
 */
export interface Layout {
  readonly size: number;
  readonly fields: Readonly<Record<string, readonly [offset: number, width: 2 | 4 | 8]>>;
}

const attr = {
  ino: [0, 8],
  size: [8, 8],
  blocks: [16, 8],
  atime: [24, 8],
  mtime: [32, 8],
  ctime: [40, 8],
  atimensec: [48, 4],
  mtimensec: [52, 4],
  ctimensec: [56, 4],
  mode: [60, 4],
  nlink: [64, 4],
  uid: [68, 4],
  gid: [72, 4],
  rdev: [76, 4],
  blksize: [80, 4],
  flags: [84, 4],
} as const;

/** The same fields inside another structure, which has them at `start`. */
function attrAt(start: number): Layout["fields"] {
  return Object.fromEntries(
    Object.entries(attr).map(([name, [offset, width]]) => [
      `attr.${name}`,
      [start + offset, width],
    ]),
  );
}

export const LAYOUTS = {
  fuse_in_header: {
    size: 40,
    fields: {
      len: [0, 4],
      opcode: [4, 4],
      unique: [8, 8],
      nodeid: [16, 8],
      uid: [24, 4],
      gid: [28, 4],
      pid: [32, 4],
    },
  },
  fuse_out_header: { size: 16, fields: { len: [0, 4], error: [4, 4], unique: [8, 8] } },
  fuse_attr: { size: 88, fields: attr },
  fuse_entry_out: {
    size: 128,
    fields: {
      nodeid: [0, 8],
      generation: [8, 8],
      entry_valid: [16, 8],
      attr_valid: [24, 8],
      entry_valid_nsec: [32, 4],
      attr_valid_nsec: [36, 4],
      ...attrAt(40),
    },
  },
  fuse_attr_out: {
    size: 104,
    fields: { attr_valid: [0, 8], attr_valid_nsec: [8, 4], ...attrAt(16) },
  },
  /** As it is since 7.40; before, the last two fields were spare. */
  fuse_init_out: {
    size: 64,
    fields: {
      major: [0, 4],
      minor: [4, 4],
      max_readahead: [8, 4],
      flags: [12, 4],
      max_background: [16, 2],
      congestion_threshold: [18, 2],
      max_write: [20, 4],
      time_gran: [24, 4],
      max_pages: [28, 2],
      map_alignment: [30, 2],
      flags2: [32, 4],
      max_stack_depth: [36, 4],
    },
  },
  /** Up to 7.35 it ends after `flags`. */
  fuse_init_in: {
    size: 64,
    fields: {
      major: [0, 4],
      minor: [4, 4],
      max_readahead: [8, 4],
      flags: [12, 4],
      flags2: [16, 4],
    },
  },
  /** `backing_id` since 7.40; before, it was padding. */
  fuse_open_out: { size: 16, fields: { fh: [0, 8], open_flags: [8, 4], backing_id: [12, 4] } },
  fuse_read_in: {
    size: 40,
    fields: {
      fh: [0, 8],
      offset: [8, 8],
      size: [16, 4],
      read_flags: [20, 4],
      lock_owner: [24, 8],
      flags: [32, 4],
    },
  },
  fuse_release_in: {
    size: 24,
    fields: { fh: [0, 8], flags: [8, 4], release_flags: [12, 4], lock_owner: [16, 8] },
  },
  fuse_open_in: { size: 8, fields: { flags: [0, 4] } },
  fuse_getattr_in: { size: 16, fields: { getattr_flags: [0, 4], fh: [8, 8] } },
  fuse_getxattr_in: { size: 8, fields: { size: [0, 4] } },
  fuse_getxattr_out: { size: 8, fields: { size: [0, 4] } },
  fuse_interrupt_in: { size: 8, fields: { unique: [0, 8] } },
  fuse_forget_in: { size: 8, fields: { nlookup: [0, 8] } },
  fuse_kstatfs: {
    size: 80,
    fields: {
      blocks: [0, 8],
      bfree: [8, 8],
      bavail: [16, 8],
      files: [24, 8],
      ffree: [32, 8],
      bsize: [40, 4],
      namelen: [44, 4],
      frsize: [48, 4],
    },
  },
  /** Without the name, which follows. */
  fuse_dirent: {
    size: 24,
    fields: { ino: [0, 8], off: [8, 8], namelen: [16, 4], type: [20, 4] },
  },
} as const satisfies Record<string, Layout>;

export type StructName = keyof typeof LAYOUTS;

/** Values by field; what is not named is 0. */
export type Values = Readonly<Record<string, number | bigint>>;

/** The bytes of a structure. */
export function pack(name: StructName, values: Values): Buffer {
  const { size, fields }: Layout = LAYOUTS[name];
  const bytes = Buffer.alloc(size);
  for (const [field, value] of Object.entries(values)) {
    const place = fields[field];
    if (place === undefined) throw new TypeError(`${name} has no field ${field}`);
    const [offset, width] = place;
    // Two's complement, for negative numbers too.
    const unsigned = BigInt.asUintN(width * 8, BigInt(value));
    for (let index = 0; index < width; index++) {
      bytes[offset + index] = Number((unsigned >> BigInt(8 * index)) & 0xffn);
    }
  }
  return bytes;
}

/** The fields of a structure that begins at `start`, unsigned. */
export function unpack(name: StructName, bytes: Uint8Array, start = 0): Record<string, bigint> {
  const { size, fields }: Layout = LAYOUTS[name];
  if (bytes.length < start + size) throw new RangeError(`${name} takes ${size} bytes`);
  const view = Buffer.from(bytes);
  return Object.fromEntries(
    Object.entries(fields).map(([field, [offset, width]]) => [
      field,
      width === 8
        ? view.readBigUInt64LE(start + offset)
        : BigInt(view.readUIntLE(start + offset, width)),
    ]),
  );
}
