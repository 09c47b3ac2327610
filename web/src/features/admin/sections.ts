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
import type { ComponentType } from "react";

import { later } from "@/components/Later";
import type { Permission } from "@/lib/session";

import { SECTION_PAGES } from "./loads";

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
    Page: later(SECTION_PAGES.chatbots),
  },
  {
    path: "users",
    icon: Users,
    needs: ["users:manage"],
    Page: later(SECTION_PAGES.users),
  },
  {
    path: "keys",
    icon: KeyRound,
    needs: ["keys:manage"],
    Page: later(SECTION_PAGES.keys),
  },
  {
    path: "budgets",
    icon: Coins,
    needs: ["usage:read"],
    Page: later(SECTION_PAGES.budgets),
  },
  {
    path: "limits",
    icon: Gauge,
    needs: ["tenant:manage"],
    Page: later(SECTION_PAGES.limits),
  },
  {
    path: "sign-on",
    icon: LogIn,
    needs: ["tenant:manage"],
    Page: later(SECTION_PAGES["sign-on"]),
  },
  {
    path: "adapters",
    icon: Puzzle,
    needs: ["chatbots:manage"],
    Page: later(SECTION_PAGES.adapters),
  },
  {
    path: "audit",
    icon: ScrollText,
    needs: ["audit:read"],
    Page: later(SECTION_PAGES.audit),
  },
  {
    path: "privacy",
    icon: ShieldQuestion,
    needs: ["personal_data:manage"],
    Page: later(SECTION_PAGES.privacy),
  },
];
