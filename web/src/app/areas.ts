import {
  BarChart3,
  FileText,
  FlaskConical,
  MessageSquare,
  Settings,
  UserRound,
  type LucideIcon,
} from "lucide-react";
import { lazy, type ComponentType } from "react";

import type { Permission } from "@/lib/session";

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
    Page: lazy(() => import("@/features/chat")),
  },
  {
    path: "/documents",
    name: "documents",
    icon: FileText,
    needs: ["documents:read"],
    Page: lazy(() => import("@/features/documents")),
  },
  {
    path: "/search",
    name: "search",
    icon: FlaskConical,
    needs: ["explain"],
    Page: lazy(() => import("@/features/search-lab")),
  },
  {
    path: "/insights",
    name: "insights",
    icon: BarChart3,
    needs: ["analytics:read"],
    Page: lazy(() => import("@/features/insights")),
  },
  {
    path: "/admin",
    name: "admin",
    icon: Settings,
    needs: ["chatbots:manage", "users:manage", "keys:manage", "tenant:manage", "audit:read"],
    Page: lazy(() => import("@/features/admin")),
  },
  {
    path: "/account",
    name: "account",
    icon: UserRound,
    needs: ["ask", "documents:read", "chatbots:read"],
    Page: lazy(() => import("@/features/account")),
  },
];
