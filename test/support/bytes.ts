/** Bytes of a text, for names and targets. */
export function bytes(text: string): Buffer {
  return Buffer.from(text);
}

/** Reproducible bytes that look random: the same `seed` gives the same content. */
export function noise(length: number, seed = 1): Buffer {
  const content = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    content[index] = state >>> 24;
  }
  return content;
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}
