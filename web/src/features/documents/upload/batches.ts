/** Which files travel together, and how far each of a batch is. */

export interface Sendable {
  key: string;
  size: number;
}

export interface Limits {
  maxFiles: number;
  maxBytes: number;
}

/** A request takes 200 files; smaller ones tell sooner what became of the first. */
export const BATCH: Limits = { maxFiles: 40, maxBytes: 24 * 1024 * 1024 };
/** From so many on they travel in batches; fewer go one by one, each with its own progress. */
export const BATCH_FROM = 10;
/** From so many on they are a bulk import, which waits behind what users upload. As the command line has it. */
export const IMPORT_FROM = 20;
export const MOST_FILES = 20_000;

/** In their order. A file that is larger than a batch travels alone. */
export function batchesOf<T extends Sendable>(files: readonly T[], limits: Limits = BATCH): T[][] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length > 0 && (batch.length >= limits.maxFiles || bytes + file.size > limits.maxBytes)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(file);
    bytes += file.size;
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}

/** Groups for the way they take: alone, or in batches. */
export function groupsOf<T extends Sendable>(files: readonly T[]): T[][] {
  return files.length < BATCH_FROM ? files.map((file) => [file]) : batchesOf(files);
}

/** Of `share` of a request, how much of each file in it is sent: they travel one after the other. */
export function sharesOf(files: readonly Sendable[], share: number): Map<string, number> {
  let left = files.reduce((sum, file) => sum + file.size, 0) * Math.min(1, Math.max(0, share));
  return new Map(
    files.map((file) => {
      const sent = file.size === 0 ? Number(left > 0 || share >= 1) : Math.min(1, left / file.size);
      left = Math.max(0, left - file.size);
      return [file.key, sent];
    }),
  );
}
