import type { Schemas } from "@/lib/api";

export type Document = Schemas["DocumentOut"];
export type DocumentState = Schemas["DocumentState"];
export type Status = Schemas["DocumentStatus"];
export type Version = Schemas["VersionOut"];
export type Chunk = Schemas["ChunkOut"];
export type Visibility = Schemas["Visibility"];
export type ContentType = Schemas["ContentType"];
export type Connector = Schemas["ConnectorOut"];
export type Sync = Schemas["SyncOut"];
export type BulkImport = Schemas["ImportOut"];
export type Job = Schemas["dragoman__imports__schemas__JobOut"];

export const CONTENT_TYPES = ["document", "faq", "conversation", "product", "ticket"] as const;
export const STEPS = ["extracting", "recognising", "chunking", "embedding", "indexing"] as const;
/** Shown at the head of the list, in the order of a document's life. */
export const STATES = [
  "queued",
  "processing",
  "pending",
  "ready",
  "failed",
  "cancelled",
  "rejected",
] as const satisfies readonly DocumentState[];

export const isOneOf = <T extends string>(values: readonly T[], value: string | null): value is T =>
  value !== null && (values as readonly string[]).includes(value);
