import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LANGUAGES } from "./languages";
import { translationOf, type Translations } from "./said";

const GERMAN: Translations = {
  "{1} of {2} pages have no text.": "{1} von {2} Seiten haben keinen Text.",
  "{1} pages hide {2}.": "Auf {1} Seiten ist {2} versteckt.",
  "what is not quoted": "was nicht zitiert wird",
  "Send it again.": "Senden Sie es noch einmal.",
};

describe("what the server says", () => {
  it("is found by its text", () => {
    expect(translationOf("Send it again.", GERMAN)).toBe("Senden Sie es noch einmal.");
    expect(translationOf("Send it.", GERMAN)).toBeUndefined();
  });

  it("is found whatever is filled in, and that is kept as it is", () => {
    expect(translationOf("3 of 12 pages have no text.", GERMAN)).toBe("3 von 12 Seiten haben keinen Text.");
    const hostile = "1 pages hide “$& of {1} <b>\n.*”.";
    expect(translationOf(hostile, GERMAN)).toBe("Auf 1 Seiten ist “$& of {1} <b>\n.*” versteckt.");
  });

  it("translates what is filled in where that is a text of its own", () => {
    expect(translationOf("2 pages hide what is not quoted.", GERMAN)).toBe(
      "Auf 2 Seiten ist was nicht zitiert wird versteckt.",
    );
  });

  it("is said in every language but English, which the server speaks", () => {
    const files = readdirSync(join(import.meta.dirname, "..", "locales", "said")).sort();
    expect(files).toEqual(
      Object.keys(LANGUAGES)
        .filter((language) => language !== "en")
        .map((language) => `${language}.json`)
        .sort(),
    );
    for (const file of files) {
      const path = join(import.meta.dirname, "..", "locales", "said", file);
      const texts = JSON.parse(readFileSync(path, "utf8")) as Translations;
      const example = "7 of 9 pages have no text.";
      expect(translationOf(example, texts), file).toMatch(/(7.*9|9.*7|٧|٩)/);
    }
  });
});
