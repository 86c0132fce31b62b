/** `1 entry`, `2 entries`. */
export function counted(count: bigint | number, one: string, many = `${one}s`): string {
  return `${count} ${Number(count) === 1 ? one : many}`;
}
