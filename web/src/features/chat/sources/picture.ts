/** Pictures of pages, and where on them words stand. */

import { queryOptions } from "@tanstack/react-query";

import type { Place } from "@/components/FramedPicture";
import { ApiError, request } from "@/lib/api";

import type { Source } from "../stream/events";

const MOST_CHARACTERS = 4000;
const WIDTH = 1200; // sharp on screens of two pixels a unit

export interface Picture {
  url: string;
  places: readonly Place[];
}

/** Null: the server makes no picture of this page. */
export const pictureQuery = (documentId: string, page: number, source: Source | null) =>
  queryOptions({
    queryKey: ["chat", "picture", documentId, page, source?.chunk_id ?? null, source?.start ?? null],
    queryFn: () => readPicture(documentId, page, source),
    staleTime: 60_000,
    retry: false,
  });

async function readPicture(documentId: string, page: number, source: Source | null): Promise<Picture | null> {
  const root = `/api/chatbot/documents/${documentId}/pages/${page}`;
  const url = `${root}/image/?width=${WIDTH}`;
  if (source === null || source.excerpt === "") {
    return { url, places: [] };
  }
  const query = new URLSearchParams({ text: source.excerpt.slice(0, MOST_CHARACTERS) });
  if (source.document_start !== null) {
    query.set("at", String(source.document_start));
  }
  try {
    const answer = await request(`${root}/places/?${query.toString()}`);
    return { url, places: ((await answer.json()) as { places: Place[] }).places };
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) {
      return null;
    }
    throw error;
  }
}
