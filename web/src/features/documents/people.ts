import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";

import { useSession } from "@/lib/session";

import { usersQuery } from "./api";

const KINDS = ["user", "key", "api_key", "service_account", "visitor", "connector", "system"] as const;

/** Who `user:0197…` is, for those who may see the names of people; else what kind of somebody. */
export function useActorName(): (actor: string) => string {
  const { t } = useTranslation("documents");
  const { me, can } = useSession();
  const { data } = useQuery({ ...usersQuery, enabled: can("users:manage") });
  return useCallback(
    (actor) => {
      const [kind = "", id] = actor.split(":");
      if (kind === "user" && id === me.user_id) {
        return t("actor.you");
      }
      const user = kind === "user" ? data?.users.find((each) => each.id === id) : undefined;
      if (user) {
        return user.display_name || user.email;
      }
      return KINDS.some((each) => each === kind) ? t(`actor.${kind}`) : actor;
    },
    [t, me.user_id, data],
  );
}
