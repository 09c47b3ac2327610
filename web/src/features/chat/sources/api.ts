/** Pages of documents, as the server has them. */

import { queryOptions } from "@tanstack/react-query";

import { api, ApiError, data, type Schemas } from "@/lib/api";

export type PageText = Schemas["PageOut"];

const MOST_PARTS = 40;

async function readPage(documentId: string, number: number): Promise<PageText> {
  return data(
    api.GET("/api/chatbot/documents/{document_id}/pages/{page_number}/", {
      params: { path: { document_id: documentId, page_number: number } },
    }),
  );
}

export const pageQuery = (documentId: string, number: number) =>
  queryOptions({
    queryKey: ["chat", "page", documentId, number],
    queryFn: () => readPage(documentId, number),
    staleTime: 60_000,
  });

/**
 * Which page holds a place of the document. In formats without pages the parts are counted, and a citation does not say
 * which it is: they are looked through for the one that reaches that far.
 */
export const placeQuery = (documentId: string, page: number | null, at: number | null) =>
  queryOptions({
    queryKey: ["chat", "place", documentId, page, at],
    queryFn: async () => {
      if (page !== null || at === null) {
        return page ?? 1;
      }
      try {
        for (let number = 1; number <= MOST_PARTS; number += 1) {
          const { start, text } = await readPage(documentId, number);
          if (at < start + text.length) {
            return number;
          }
        }
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) {
          throw error;
        }
      }
      return 1;
    },
    staleTime: 60_000,
  });
