const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A size for people, with three digits. */
export function readableSize(bytes: bigint | number): string {
  let value = Number(bytes);
  let unit = 0;
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`;
}
