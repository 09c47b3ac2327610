import { useQueryClient } from "@tanstack/react-query";
import { createContext, use, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";
import { useChatbot, useSession } from "@/lib/session";

import { MOST_FILES } from "./batches";
import type { Picked } from "./picked";
import { send, type Sendable } from "./sender";
import { changed, type Item, type Options } from "./uploads";

interface Uploads {
  items: readonly Item[];
  importId: string | null;
  /** May upload at all, and documents that all see. */
  mayUpload: boolean;
  mayShare: boolean;
  maxBytes: number;
  start: (files: readonly Picked[], options: Options) => void;
  retry: (keys: readonly string[]) => void;
  stop: () => void;
  clear: () => void;
}

interface Kept {
  file: Sendable;
  options: Options;
}

const UploadContext = createContext<Uploads | null>(null);
const MIB = 1024 * 1024;

export function useUploads(): Uploads {
  const uploads = use(UploadContext);
  if (uploads === null) {
    throw new Error("useUploads belongs below UploadProvider");
  }
  return uploads;
}

/** What is uploaded goes on while one looks at other pages of the area. */
export function UploadProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const cache = useQueryClient();
  const { can } = useSession();
  const { chatbot } = useChatbot();
  const [items, setItems] = useState<readonly Item[]>([]);
  const [importId, setImportId] = useState<string | null>(null);
  const kept = useRef(new Map<string, Kept>());
  const stopping = useRef(new AbortController());
  const next = useRef(0);

  const mayUpload = can("documents:contribute") || can("documents:manage");
  const mayImport = can("documents:manage");
  const mayShare = mayImport || chatbot?.settings["moderation"] === "review";
  const limit = chatbot?.settings["max_size_mib"];
  const maxBytes = (typeof limit === "number" ? limit : 25) * MIB;
  const busy = items.some((item) => item.phase === "waiting" || item.phase === "sending");

  const run = useCallback(
    async (files: readonly Sendable[], options: Options, into: string | null) => {
      if (chatbot === null || files.length === 0) {
        return;
      }
      await send({
        files,
        options,
        chatbotId: chatbot.id,
        importId: into,
        mayImport,
        name: t("upload.importName", { date: formats.dateTime(Date.now()) }),
        signal: stopping.current.signal,
        onChange: (changes) => setItems((now) => changed(now, changes)),
        onImport: setImportId,
      });
      void cache.invalidateQueries({ queryKey: ["documents"] });
      void cache.invalidateQueries({ queryKey: ["imports"] });
    },
    [chatbot, mayImport, cache, t, formats],
  );

  const start = useCallback(
    (picked: readonly Picked[], options: Options) => {
      stopping.current = stopping.current.signal.aborted ? new AbortController() : stopping.current;
      const files = picked.slice(0, MOST_FILES).map(({ file, path }) => {
        const key = String(next.current++);
        const sendable = { key, file, path, size: file.size };
        kept.current.set(key, { file: sendable, options });
        return sendable;
      });
      const fits = (file: Sendable) => file.size <= maxBytes;
      const tooLarge = new Error(t("upload.tooLarge", { size: formats.bytes(maxBytes) }));
      setItems((now) => [
        ...now,
        ...files.map((file) => ({
          key: file.key,
          name: file.path ?? file.file.name,
          size: file.size,
          phase: fits(file) ? ("waiting" as const) : ("refused" as const),
          sent: 0,
          documentId: null,
          error: fits(file) ? null : tooLarge,
          until: null,
        })),
      ]);
      setImportId(null);
      void run(files.filter(fits), options, null);
    },
    [run, maxBytes, t, formats],
  );

  const retry = useCallback(
    (keys: readonly string[]) => {
      stopping.current = stopping.current.signal.aborted ? new AbortController() : stopping.current;
      const again = keys.flatMap((key) => kept.current.get(key) ?? []);
      setItems((now) =>
        changed(now, new Map(keys.map((key) => [key, { phase: "waiting", error: null, until: null }]))),
      );
      const [first] = again;
      if (first !== undefined) {
        void run(
          again.map(({ file }) => file),
          first.options,
          importId,
        );
      }
    },
    [run, importId],
  );

  const stop = useCallback(() => stopping.current.abort(), []);
  const clear = useCallback(() => {
    kept.current.clear();
    setItems([]);
    setImportId(null);
  }, []);

  useEffect(() => {
    if (!busy) {
      return;
    }
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [busy]);

  const value = useMemo(
    () => ({ items, importId, mayUpload, mayShare, maxBytes, start, retry, stop, clear }),
    [items, importId, mayUpload, mayShare, maxBytes, start, retry, stop, clear],
  );
  return <UploadContext value={value}>{children}</UploadContext>;
}
