import { useQuery } from "@tanstack/react-query";

import { ApiError, request } from "@/lib/api";
import { useSession } from "@/lib/session";

import type { JsonSchema } from "@/components/schema-form/schema";

export interface AdapterSetting {
  name: string;
  /** Null where it is no setting of the installation. */
  variable: string | null;
  is_required: boolean;
  is_secret: boolean;
}

export interface Adapter {
  name: string;
  description: string;
  is_used: boolean;
  is_installed: boolean;
  extras: readonly string[];
  settings_schema: JsonSchema;
  settings: readonly AdapterSetting[];
}

export interface Port {
  name: string;
  description: string;
  chosen: string;
  adapters: readonly Adapter[];
}

/** The adapters of the installation; null where this server does not list them. */
export function useAdapters() {
  const { can } = useSession();
  return useQuery({
    queryKey: ["adapters"],
    queryFn: read,
    staleTime: Infinity,
    enabled: can("chatbots:manage"),
  });
}

export function useHasAdapters(): boolean {
  return (useAdapters().data ?? null) !== null;
}

async function read(): Promise<readonly Port[] | null> {
  try {
    const answer = (await (await request("/api/adapters/")).json()) as { ports: readonly Port[] };
    return answer.ports;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      return null;
    }
    throw error;
  }
}
