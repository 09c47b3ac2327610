/** What the API says, as far as the widget reads it. */

export interface Settings {
  chatbot_name: string;
  title: string;
  greeting: string;
  accent: string;
  position: string;
  theme: string;
  launcher_text: string;
  suggestions: string[];
}

export interface Source {
  number: number;
  title: string;
  excerpt: string;
  file_name: string;
  page: number | null;
  heading_path: string[];
  language: string;
  /** Its document was deleted or replaced since; there is no text to show. */
  deleted: boolean;
}

export type Rating = "up" | "down";

export interface StoredMessage {
  id: string;
  role: string;
  state: string;
  content: string;
  language: string | null;
  sources: Source[];
  feedback: { rating: string; reason: string | null } | null;
}

export const STAGES = ["understanding", "searching", "reading", "writing"] as const;
export type Stage = (typeof STAGES)[number];

export type AnswerEvent =
  | { type: "status"; stage: string; message_id: string }
  | { type: "token"; content: string }
  | ({ type: "source" } & Source)
  | { type: "complete"; message_id: string; answered: boolean; state: string; language: string }
  | { type: "error"; code: string; detail: string };
