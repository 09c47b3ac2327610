/** A part of the application whose scripts are loaded when it is needed, or before. */
export interface Part<T> {
  /** Load it, once. */
  load: () => Promise<T>;
  /** What is loaded already. */
  loaded: () => T | undefined;
}

export function partOf<T>(read: () => Promise<T>): Part<T> {
  let reading: Promise<T> | undefined;
  let loaded: T | undefined;
  const keep = (part: T) => (loaded = part);
  return { load: () => (reading ??= read().then(keep)), loaded: () => loaded };
}
