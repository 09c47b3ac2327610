import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LANGUAGES } from "../languages";

const SOURCE = join(import.meta.dirname, "..", "..");
const PLURAL = /_(zero|one|two|few|many|other)$/;

type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === "string" ? [[prefix + key, value] as const] : [...flat(value, `${prefix}${key}.`)],
    ),
  );
}

const folders = [
  join(SOURCE, "locales"),
  ...readdirSync(join(SOURCE, "features")).map((name) => join(SOURCE, "features", name, "locales")),
];

function textsOf(folder: string, language: string): Map<string, string> {
  return flat(JSON.parse(readFileSync(join(folder, `${language}.json`), "utf8")) as Tree);
}

const plain = (keys: Iterable<string>) =>
  [...new Set([...keys].map((key) => key.replace(PLURAL, "")))].sort();
const places = (text: string) => [...text.matchAll(/\{\{\s*(\w+)/g)].map((found) => found[1] ?? "").sort();

describe.each(folders)("texts in %s", (folder) => {
  const english = textsOf(folder, "en");

  it.each(Object.keys(LANGUAGES))("say everything in %s", (language) => {
    const texts = textsOf(folder, language);
    expect(plain(texts.keys())).toEqual(plain(english.keys()));
    expect([...texts].filter(([, text]) => text.trim() === "")).toEqual([]);
  });

  it.each(Object.keys(LANGUAGES))("have the plural forms of %s", (language) => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    const texts = textsOf(folder, language);
    const counted = new Set(
      [...texts.keys()].filter((key) => PLURAL.test(key)).map((key) => key.replace(PLURAL, "")),
    );
    const missing = [...counted].flatMap((key) =>
      forms.map((form) => `${key}_${form}`).filter((each) => !texts.has(each)),
    );
    expect(missing).toEqual([]);
  });

  it.each(Object.keys(LANGUAGES))("fill in the same places in %s", (language) => {
    for (const [key, text] of textsOf(folder, language)) {
      const original = english.get(key) ?? english.get(key.replace(PLURAL, "_other"));
      const allowed = new Set(places(original ?? ""));
      expect(
        places(text).filter((place) => !allowed.has(place)),
        key,
      ).toEqual([]);
      if (!PLURAL.test(key)) {
        expect(new Set(places(text)), key).toEqual(allowed);
      }
    }
  });
});
