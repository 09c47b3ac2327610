/** Which one comes after a decision: the one below, else the one above. */
export function after<T extends { id: string }>(items: readonly T[], id: string): T | undefined {
  const at = items.findIndex((item) => item.id === id);
  return at < 0 ? items[0] : (items[at + 1] ?? items[at - 1]);
}
