/**
 * Lets go of a source that need not be at its end. Waits until that is done, but not when it `isPulling`: one that was
 * given up while it was asked for more may never answer.
 */
export async function letGo(
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  isPulling: boolean,
): Promise<void> {
  const closed = Promise.resolve(iterator.return?.());
  if (isPulling) closed.catch(() => {});
  else await closed;
}
