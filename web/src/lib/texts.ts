/** The files of texts of the interface: `common` for what all pages share, and a namespace for each feature. */

export type Texts = Record<string, unknown>;
type Loader = () => Promise<{ default: Texts }>;

const FILES = {
  ...import.meta.glob<{ default: Texts }>("../locales/*.json"),
  ...import.meta.glob<{ default: Texts }>("../features/*/locales/*.json"),
} as Record<string, Loader | undefined>;

/** The texts of a namespace in a language, read once. */
export async function loadTexts(language: string, namespace: string): Promise<Texts> {
  const path =
    namespace === "common"
      ? `../locales/${language}.json`
      : `../features/${namespace}/locales/${language}.json`;
  const load = FILES[path];
  if (load === undefined) {
    throw new Error(`There are no texts in ${path}.`);
  }
  return (await load()).default;
}
