import { useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

export type Budget = Schemas["BudgetOut"];
export type Quotas = Schemas["Quotas"];
export const BUDGETS = ["budgets"] as const;
export const LIMITS = ["limits"] as const;

export function useBudgets() {
  return useQuery({
    queryKey: BUDGETS,
    queryFn: () => data(api.GET("/api/budgets/")),
    refetchInterval: 30_000,
  });
}

/** What was spent on each model this month. */
export function useSpent() {
  return useQuery({
    queryKey: ["usage", "model"],
    queryFn: () =>
      data(
        api.GET("/api/usage/", {
          params: {
            query: { by: "model", first_day: `${new Date().toISOString().slice(0, 7)}-01`, limit: 50 },
          },
        }),
      ),
  });
}

export const setBudget = (body: Schemas["BudgetIn"]) => data(api.PUT("/api/budgets/", { body }));

export const removeBudget = (id: string) =>
  data(api.DELETE("/api/budgets/{budget_id}/", { params: { path: { budget_id: id } } }));

export function useLimits(enabled = true) {
  return useQuery({ queryKey: LIMITS, queryFn: () => data(api.GET("/api/limits/")), enabled });
}

export const setLimits = (body: Quotas) => data(api.PUT("/api/limits/", { body }));
