import {
  BarChart3,
  FileText,
  FlaskConical,
  MessageSquare,
  Settings,
  UserRound,
  type LucideIcon,
} from "lucide-react";
import type { ComponentType } from "react";

import { later } from "@/components/Later";
import type { Permission } from "@/lib/session";

import { PAGES } from "./pages";

export interface Area {
  path: string;
  /** Its name under `areas` in the common texts. */
  name: "chat" | "documents" | "search" | "insights" | "admin" | "account";
  icon: LucideIcon;
  /** One of these permissions opens it. */
  needs: readonly Permission[];
  Page: ComponentType;
}

/** Where one can go, in the order of the navigation. Each is loaded when somebody goes there. */
export const AREAS: readonly Area[] = [
  {
    path: "/chat",
    name: "chat",
    icon: MessageSquare,
    needs: ["ask"],
    Page: later(PAGES.chat),
  },
  {
    path: "/documents",
    name: "documents",
    icon: FileText,
    needs: ["documents:read"],
    Page: later(PAGES.documents),
  },
  {
    path: "/search",
    name: "search",
    icon: FlaskConical,
    needs: ["explain"],
    Page: later(PAGES.search),
  },
  {
    path: "/insights",
    name: "insights",
    icon: BarChart3,
    needs: ["analytics:read"],
    Page: later(PAGES.insights),
  },
  {
    path: "/admin",
    name: "admin",
    icon: Settings,
    needs: ["chatbots:manage", "users:manage", "keys:manage", "tenant:manage", "audit:read"],
    Page: later(PAGES.admin),
  },
  {
    path: "/account",
    name: "account",
    icon: UserRound,
    needs: ["ask", "documents:read", "chatbots:read"],
    Page: later(PAGES.account),
  },
];
