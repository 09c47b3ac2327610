/** Files from a drop or a picker, folders with all that is in them. */

export interface Picked {
  file: File;
  /** The path inside the folder that was given; null for a single file. It names the document, so that the same folder
   * given again replaces what changed. */
  path: string | null;
}

/** The entries must be taken from the drop at once: after the event they are gone. */
export async function filesOfDrop(transfer: DataTransfer): Promise<Picked[]> {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found = await Promise.all(
    entries.map(async (entry) =>
      entry === null
        ? []
        : entry instanceof File
          ? [{ file: entry, path: null }]
          : filesOfEntry(entry, false),
    ),
  );
  return found.flat();
}

export function filesOfPicker(list: FileList): Picked[] {
  return [...list]
    .filter((file) => !isHidden(file.webkitRelativePath || file.name))
    .map((file) => ({ file, path: file.webkitRelativePath || null }));
}

async function filesOfEntry(entry: FileSystemEntry, isInside: boolean): Promise<Picked[]> {
  if (isInside && isHidden(entry.name)) {
    return [];
  }
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ file, path: isInside ? entry.fullPath.replace(/^\//, "") : null }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Picked[] = [];
  for (;;) {
    // A folder tells its entries a hundred at a time, and none when it has told all.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) {
      return found;
    }
    for (const each of entries) {
      found.push(...(await filesOfEntry(each, true)));
    }
  }
}

/** What systems leave in folders (`.git`, `.DS_Store`, `Thumbs.db`) is nobody's document. */
function isHidden(path: string): boolean {
  return path
    .split("/")
    .some((part) => part.startsWith(".") || part === "Thumbs.db" || part === "desktop.ini");
}
