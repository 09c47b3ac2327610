/** Pictures of pages, and where on them words stand. */

import { queryOptions } from "@tanstack/react-query";

import { ApiError, request } from "@/lib/api";

import type { Source } from "../stream/events";

/** A rectangle on a page, in shares of its width and height. */
export interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Picture {
  url: string;
  places: readonly Place[];
}

interface Places {
  width: number;
  height: number;
  places: readonly (readonly [number, number, number, number])[];
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
  const query = new URLSearchParams();
  if (source?.document_start !== null && source?.document_start !== undefined) {
    query.set("start", String(source.document_start));
    query.set("end", String(source.document_start + Array.from(source.excerpt).length));
  }
  try {
    const answer = await request(`${root}/places/?${query.toString()}`);
    const { width, height, places } = (await answer.json()) as Places;
    return {
      url: `${root}/image/`,
      places: places.map(([left, top, right, bottom]) => ({
        left: left / width,
        top: top / height,
        width: (right - left) / width,
        height: (bottom - top) / height,
      })),
    };
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) {
      return null;
    }
    throw error;
  }
}
