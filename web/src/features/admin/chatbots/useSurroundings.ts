import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import { useAdapters } from "../adapters/api";
import { useLimits } from "../costs/api";

const QUOTAS = [
  "messages_per_minute",
  "messages_per_minute_managers",
  "searches_per_minute",
  "searches_per_minute_managers",
  "documents_per_day",
  "documents_per_day_managers",
] as const;

/** What the form of a chatbot's settings knows beside the schema: names, adapters to choose, what the installation has. */
export function useSurroundings(ownAnswerer: boolean) {
  const { t, i18n } = useTranslation("admin");
  const { number } = useFormats();
  const { can } = useSession();
  const { data: ports } = useAdapters();
  const { data: limits } = useLimits(can("tenant:manage"));
  return useMemo(() => {
    const labelOf = (name: string) => {
      const key = `settings.names.${name}`;
      return i18n.exists(key, { ns: "admin" }) ? t(key) : undefined;
    };
    const adapters = (port: string) => ports?.find((each) => each.name === port)?.adapters ?? [];
    const names = (port: string) => adapters(port).map((each) => each.name);
    const used = (port: string) => adapters(port).find((each) => each.is_used)?.name ?? t("common:form.none");
    const suggestions = {
      answerer: ["extractive", "auto", ...names("llm")],
      judge: ["none", ...names("judge")],
      reranker: [...new Set(["none", ...names("reranker")])],
      translator: names("translator"),
      knowledge_language: ["auto", "en", "de", "es", "fr", "pt", "ja", "zh", "ar"],
    };
    const inherited = {
      ...(ports ? { translator: used("translator"), judge: used("judge") } : {}),
      // Without a setting of its own, a chatbot answers by the model that the installation has.
      ...(!ownAnswerer && adapters("llm").some((each) => each.is_used) ? { answerer: used("llm") } : {}),
      ...(limits
        ? Object.fromEntries(
            QUOTAS.map((name) => [
              name,
              limits.effective[name] === 0 ? t("limits.none") : number(limits.effective[name]),
            ]),
          )
        : {}),
    };
    return { labelOf, suggestions, inherited };
  }, [t, i18n, number, ports, limits, ownAnswerer]);
}
