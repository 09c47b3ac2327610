/** Which settings stand together. Those that nobody has sorted yet, of a newer server, stand under `other`. */

import type { FormField } from "@/components/schema-form/schema";

export const GROUPS = [
  "answering",
  "safety",
  "languages",
  "search",
  "documents",
  "privacy",
  "limits",
  "other",
] as const;
export type Group = (typeof GROUPS)[number];

const MEMBERS: Readonly<Record<Exclude<Group, "other">, readonly string[]>> = {
  answering: [
    "answerer",
    "model",
    "fallback_models",
    "prompt",
    "max_sources",
    "max_quotes",
    "similarity_threshold",
    "confidence_threshold",
    "cache_answers",
    "similar_questions",
    "similar_questions_from",
  ],
  safety: [
    "grounding",
    "judge",
    "judge_sentences",
    "judge_answerer",
    "injection_screen",
    "spotlighting",
    "prompt_leaks",
    "link_hosts",
  ],
  languages: ["language_policy", "translator", "knowledge_language", "glossary"],
  search: [
    "search_mode",
    "reranker",
    "rerank_depth",
    "neighbours",
    "near_duplicates",
    "diversity",
    "rewrite",
    "expand_queries",
    "multi_query",
  ],
  documents: [
    "max_size_mib",
    "moderation",
    "min_quality_score",
    "downloads",
    "active_content",
    "ocr",
    "ocr_languages",
    "keep_images",
    "chunk_tokens",
    "chunk_overlap_tokens",
    "sentence_vectors",
  ],
  privacy: [
    "pii",
    "pii_to_models",
    "pii_types",
    "pii_min_score",
    "query_log",
    "query_log_days",
    "improvement_report",
  ],
  limits: [
    "messages_per_minute",
    "messages_per_minute_managers",
    "searches_per_minute",
    "searches_per_minute_managers",
    "documents_per_day",
    "documents_per_day_managers",
  ],
};

/** Set on pages of their own: the look of the widget, and which prompt is used. */
const ELSEWHERE: ReadonlySet<string> = new Set(["widget", "prompt_version"]);

export function groupOf(name: string): Group | null {
  if (ELSEWHERE.has(name)) {
    return null;
  }
  return GROUPS.find((group) => group !== "other" && MEMBERS[group].includes(name)) ?? "other";
}

/** The fields of a group, in the order that people look for them. */
export function fieldsIn(group: Group, fields: readonly FormField[]): FormField[] {
  const order = group === "other" ? [] : MEMBERS[group];
  return fields
    .filter((field) => groupOf(field.name) === group)
    .sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
}
