/** The same deed on many documents: some at a time, and each that failed is named with its reason. */

const AT_A_TIME = 4;

export interface Failed<T> {
  item: T;
  error: unknown;
}

export interface BulkResult<T> {
  done: number;
  failed: readonly Failed<T>[];
}

export async function doAll<T>(
  items: readonly T[],
  deed: (item: T) => Promise<unknown>,
  onProgress: (ended: number) => void = () => undefined,
  atATime: number = AT_A_TIME,
): Promise<BulkResult<T>> {
  const waiting = items.map((item, at) => ({ item, at }));
  const failed: (Failed<T> & { at: number })[] = [];
  let ended = 0;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        await deed(next.item);
      } catch (error) {
        failed.push({ ...next, error });
      }
      ended += 1;
      onProgress(ended);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atATime, items.length) }, work));
  failed.sort((one, other) => one.at - other.at);
  return { done: items.length - failed.length, failed: failed.map(({ item, error }) => ({ item, error })) };
}
