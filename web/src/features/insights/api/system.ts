import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

export type Alert = Schemas["AlertOut"];
export type AlertRule = Schemas["AlertRuleOut"];

export function useSystem(refresh: number | false) {
  return useQuery({
    queryKey: ["insights", "metrics", "system"],
    queryFn: () => data(api.GET("/api/metrics/system")),
    refetchInterval: refresh,
  });
}

export function useDatabase(refresh: number | false) {
  return useQuery({
    queryKey: ["insights", "metrics", "database"],
    queryFn: () => data(api.GET("/api/metrics/database")),
    refetchInterval: refresh,
  });
}

export function useSearchMetrics(minutes: number, refresh: number | false) {
  return useQuery({
    queryKey: ["insights", "metrics", "search", minutes],
    queryFn: () => data(api.GET("/api/metrics/search", { params: { query: { minutes } } })),
    refetchInterval: refresh,
  });
}

export function useAlerts(refresh: number | false) {
  return useQuery({
    queryKey: ["insights", "alerts", "active"],
    queryFn: () => data(api.GET("/api/alerts", { params: { query: { state: "active" } } })),
    refetchInterval: refresh,
  });
}

export function useAlertHistory() {
  return useQuery({
    queryKey: ["insights", "alerts", "history"],
    queryFn: () => data(api.GET("/api/alerts/history/", { params: { query: { limit: 20, offset: 0 } } })),
  });
}

export function useAlertRules() {
  return useQuery({
    queryKey: ["insights", "alerts", "rules"],
    queryFn: () => data(api.GET("/api/alerts/rules/")),
  });
}

export function useAlertDeeds() {
  const cache = useQueryClient();
  const onSuccess = () => cache.invalidateQueries({ queryKey: ["insights", "alerts"] });
  const acknowledge = useMutation({
    mutationFn: (alertId: string) =>
      data(api.POST("/api/alerts/{alert_id}/acknowledge/", { params: { path: { alert_id: alertId } } })),
    onSuccess,
  });
  const silence = useMutation({
    mutationFn: ({ ruleId, minutes, comment }: { ruleId: string; minutes: number; comment: string }) =>
      data(
        api.PUT("/api/alerts/rules/{rule_id}/silence/", {
          params: { path: { rule_id: ruleId } },
          body: { minutes, comment },
        }),
      ),
    onSuccess,
  });
  const speak = useMutation({
    mutationFn: (ruleId: string) =>
      data(api.DELETE("/api/alerts/rules/{rule_id}/silence/", { params: { path: { rule_id: ruleId } } })),
    onSuccess,
  });
  return { acknowledge, silence, speak };
}
