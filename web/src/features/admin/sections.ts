import {
  Bot,
  Coins,
  Gauge,
  KeyRound,
  LogIn,
  Puzzle,
  ScrollText,
  ShieldQuestion,
  Users,
  type LucideIcon,
} from "lucide-react";
import { lazy, type ComponentType } from "react";

import type { Permission } from "@/lib/session";

export interface Section {
  path: string;
  icon: LucideIcon;
  /** One of these permissions opens it. */
  needs: readonly Permission[];
  Page: ComponentType;
}

/** The parts of the administration, in their order. `sections.<path>` in the texts names them. */
export const SECTIONS: readonly Section[] = [
  {
    path: "chatbots",
    icon: Bot,
    needs: ["chatbots:manage"],
    Page: lazy(() => import("./chatbots/ChatbotPages").then((file) => ({ default: file.ChatbotPages }))),
  },
  {
    path: "users",
    icon: Users,
    needs: ["users:manage"],
    Page: lazy(() => import("./users/UsersPage").then((file) => ({ default: file.UsersPage }))),
  },
  {
    path: "keys",
    icon: KeyRound,
    needs: ["keys:manage"],
    Page: lazy(() => import("./keys/KeysPage").then((file) => ({ default: file.KeysPage }))),
  },
  {
    path: "budgets",
    icon: Coins,
    needs: ["usage:read"],
    Page: lazy(() => import("./costs/BudgetsPage").then((file) => ({ default: file.BudgetsPage }))),
  },
  {
    path: "limits",
    icon: Gauge,
    needs: ["tenant:manage"],
    Page: lazy(() => import("./costs/LimitsPage").then((file) => ({ default: file.LimitsPage }))),
  },
  {
    path: "sign-on",
    icon: LogIn,
    needs: ["tenant:manage"],
    Page: lazy(() => import("./sign-on/SignOnPage").then((file) => ({ default: file.SignOnPage }))),
  },
  {
    path: "adapters",
    icon: Puzzle,
    needs: ["chatbots:manage"],
    Page: lazy(() => import("./adapters/AdaptersPage").then((file) => ({ default: file.AdaptersPage }))),
  },
  {
    path: "audit",
    icon: ScrollText,
    needs: ["audit:read"],
    Page: lazy(() => import("./audit/AuditPage").then((file) => ({ default: file.AuditPage }))),
  },
  {
    path: "privacy",
    icon: ShieldQuestion,
    needs: ["personal_data:manage"],
    Page: lazy(() => import("./privacy/PrivacyPage").then((file) => ({ default: file.PrivacyPage }))),
  },
];
