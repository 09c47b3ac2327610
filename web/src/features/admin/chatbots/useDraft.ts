import { useCallback, useMemo, useState } from "react";

import type { FormField } from "@/components/schema-form/schema";
import { changesOf, filled, firstFault, same, type Values } from "@/components/schema-form/values";

import type { ChatbotOut } from "./api";

/** The settings of a chatbot as somebody is changing them. */
export function useDraft(chatbot: ChatbotOut, fields: readonly FormField[]) {
  const saved = useMemo(() => filled(fields, chatbot.settings), [fields, chatbot.settings]);
  const [edits, setEdits] = useState<Values>({});
  const [reset, setReset] = useState<ReadonlySet<string>>(new Set());
  const own = useMemo(() => new Set(chatbot.own_settings), [chatbot.own_settings]);
  const values = useMemo(() => ({ ...saved, ...edits }), [saved, edits]);
  const changes = useMemo(() => changesOf(fields, saved, values, reset), [fields, saved, values, reset]);

  const change = useCallback((name: string, value: unknown) => {
    setEdits((all) => ({ ...all, [name]: value }));
    setReset((all) => new Set([...all].filter((each) => each !== name)));
  }, []);
  const bringBack = useCallback(
    (name: string) => {
      const field = fields.find((each) => each.name === name);
      setEdits((all) => ({ ...all, [name]: field?.default }));
      setReset((all) => (own.has(name) ? new Set([...all, name]) : all));
    },
    [fields, own],
  );
  const discard = useCallback(() => {
    setEdits({});
    setReset(new Set());
  }, []);

  return {
    values,
    changes,
    changed: useMemo(() => new Set(Object.keys(changes)), [changes]),
    /** What is not at its default, once what is reset is saved. */
    own: useMemo(() => {
      const kept = [...own].filter((name) => !reset.has(name));
      const edited = fields.filter(
        (field) => field.name in changes && !same(values[field.name], field.default),
      );
      return new Set([...kept, ...edited.map((field) => field.name)]);
    }, [own, reset, fields, changes, values]),
    fault: useMemo(() => firstFault(fields, values), [fields, values]),
    change,
    bringBack,
    discard,
  };
}

export type Draft = ReturnType<typeof useDraft>;
