import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import type { View } from "../view";

export type UsageLine = Schemas["UsageLineOut"];
export type Budget = Schemas["BudgetOut"];

export function useUsage(view: View, by: Schemas["UsageBy"]) {
  const { chatbotId, range, refresh } = view;
  return useQuery({
    queryKey: ["insights", "usage", by, chatbotId, range.from, range.to],
    queryFn: () =>
      data(
        api.GET("/api/usage/", {
          params: {
            query: {
              by,
              chatbot_id: chatbotId,
              first_day: range.from,
              last_day: range.to,
              limit: by === "day" ? 200 : 50,
              offset: 0,
            },
          },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: refresh,
  });
}

export function useBudgets(refresh: number | false) {
  return useQuery({
    queryKey: ["insights", "budgets"],
    queryFn: () => data(api.GET("/api/budgets/")),
    refetchInterval: refresh,
  });
}
