/** How bytes can be compressed, by the names Nix has for it in narinfos: `br` is brotli. */
export type Compression = "none" | "xz" | "bzip2" | "gzip" | "zstd" | "br";

export const COMPRESSIONS: readonly Compression[] = ["none", "xz", "bzip2", "gzip", "zstd", "br"];

export function isCompression(name: string): name is Compression {
  return (COMPRESSIONS as readonly string[]).includes(name);
}
