/** Labels as people write them. */

/** Tags between commas, each once, none empty. */
export function tagsOf(text: string): string[] {
  return [...new Set(text.split(",").map((tag) => tag.trim()))].filter(Boolean);
}

/** Tags with some added and some taken away. */
export function retagged(
  tags: readonly string[],
  added: readonly string[],
  removed: readonly string[],
): string[] {
  return [...new Set([...tags, ...added])].filter((tag) => !removed.includes(tag));
}

/** What a file is, in a short word: `PDF`, `DOCX`. By its name, for the true type has long ones. */
export function typeOf(fileName: string, mimeType: string): string {
  const ending = /\.([a-z0-9]{1,5})$/i.exec(fileName)?.[1];
  return (ending ?? mimeType.split("/").at(-1) ?? mimeType).toUpperCase();
}
