import { describe, expect, it } from "vitest";

import { chooseLanguage, directionOf, fill, inSeconds, LANGUAGES, textsOf } from "./language";

describe("the language of the widget", () => {
  it.each([
    [["de", "fr", "es"], "de"],
    [[undefined, "fr-CA", "es"], "fr"],
    [[undefined, "", "pt-BR"], "pt"],
    [["nl", "sv", "ja-JP"], "ja"],
    [["zh_Hant_TW"], "zh"],
    [[" AR-eg "], "ar"],
    [["tlh", null], "en"],
    [[], "en"],
  ])("%j: %s", (wanted, language) => {
    expect(chooseLanguage(...wanted)).toBe(language);
  });

  it("is written from right to left in Arabic alone", () => {
    expect(LANGUAGES.filter((language) => directionOf(language) === "rtl")).toEqual(["ar"]);
  });
});

function leaves(texts: object, path = ""): [string, string][] {
  return Object.entries(texts).flatMap(([name, value]) =>
    typeof value === "string"
      ? [[path + name, value] as [string, string]]
      : leaves(value as object, `${path}${name}.`),
  );
}

describe("the texts", () => {
  const english = new Map(leaves(textsOf("en")));

  it.each(LANGUAGES)("of %s are all there, with the same places to fill, in their own words", (language) => {
    const own = leaves(textsOf(language));
    expect(own.map(([name]) => name)).toEqual([...english.keys()]);
    for (const [name, text] of own) {
      expect(text.match(/\{\w+\}/g) ?? [], name).toEqual(english.get(name)?.match(/\{\w+\}/g) ?? []);
    }
    const same = own.filter(([name, text]) => text === english.get(name)).map(([name]) => name);
    if (language !== "en") expect(same.length, same.join()).toBeLessThanOrEqual(4); // "Sources", "Page", "Conversation"
  });

  it("are filled, and leave what nothing is said of", () => {
    expect(fill("Source {number}: {title} {other}", { number: 2, title: "{number}" })).toBe(
      "Source 2: {number} {other}",
    );
  });

  it("say when in words of the language", () => {
    expect(inSeconds(12.2, "en")).toBe("in 13 seconds");
    expect(inSeconds(240, "de")).toBe("in 4 Minuten");
  });
});
