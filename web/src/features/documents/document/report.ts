/** The quality report, which the API hands out as plain JSON, as what the page shows of it. */

export interface Finding {
  severity: "critical" | "warning" | "info";
  message: string;
  what_to_do: string;
  pages: readonly number[];
}

export interface Report {
  parts: Readonly<Record<string, number>>;
  counts: Readonly<Record<string, number>>;
  languages: Readonly<Record<string, number>>;
  similar: readonly { document_id: string; title: string; similarity: number }[];
  findings: readonly Finding[];
  lix: number | null;
}

type Loose = Readonly<Record<string, unknown>>;

export function reportOf(report: Loose): Report {
  const readability = objectOf(report["readability"]);
  return {
    parts: numbersOf(report["parts"]),
    counts: numbersOf(report["counts"]),
    languages: numbersOf(report["languages"]),
    similar: listOf(report["similar"]).map((each) => ({
      document_id: textOf(each["document_id"]),
      title: textOf(each["title"]),
      similarity: Number(each["similarity"]),
    })),
    findings: listOf(report["findings"]).map((each) => ({
      severity: each["severity"] === "critical" || each["severity"] === "warning" ? each["severity"] : "info",
      message: textOf(each["message"]),
      what_to_do: textOf(each["what_to_do"]),
      pages: Array.isArray(each["pages"]) ? each["pages"].filter((page) => typeof page === "number") : [],
    })),
    lix: typeof readability["lix"] === "number" ? readability["lix"] : null,
  };
}

function objectOf(value: unknown): Loose {
  return typeof value === "object" && value !== null ? (value as Loose) : {};
}

function listOf(value: unknown): readonly Loose[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function numbersOf(value: unknown): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(objectOf(value)).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    ),
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
