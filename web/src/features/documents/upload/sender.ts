/** Sends files: alone or in batches, some requests at a time, again after a refusal that soon ends. */

import { api, data, type Schemas } from "@/lib/api";

import { groupsOf, IMPORT_FROM, sharesOf } from "./batches";
import type { Picked } from "./picked";
import { refusedUntil, sendForm, wasStopped } from "./send";
import { formOf, type Change, type Options } from "./uploads";

const REQUESTS_AT_A_TIME = 3;
/** A refusal that ends so soon is waited for; a longer one is told. */
const WAIT_AT_MOST_MS = 90_000;

export interface Sendable extends Picked {
  key: string;
  size: number;
}

export interface Task {
  files: readonly Sendable[];
  options: Options;
  chatbotId: string;
  /** The bulk import that these belong to, where there is one already. */
  importId: string | null;
  mayImport: boolean;
  /** How an import is called. */
  name: string;
  signal: AbortSignal;
  onChange: (changes: ReadonlyMap<string, Change>) => void;
  onImport: (importId: string) => void;
}

export async function send(task: Task): Promise<void> {
  try {
    const importId = await importOf(task);
    const groups = groupsOf(task.files);
    const work = async () => {
      for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
        await sendGroup(group, { ...task, importId });
      }
    };
    await Promise.all(Array.from({ length: REQUESTS_AT_A_TIME }, work));
  } catch (error) {
    tellAll(task, task.files, { phase: "refused", error }); // the import could not be opened
  }
}

async function importOf(task: Task): Promise<string | null> {
  if (task.importId !== null || !task.mayImport || task.files.length < IMPORT_FROM) {
    return task.importId;
  }
  const opened = await data(
    api.POST("/api/chatbot/imports/", {
      body: { name: task.name, chatbot_id: task.chatbotId, expected_documents: task.files.length },
    }),
  );
  task.onImport(opened.id);
  return opened.id;
}

async function sendGroup(group: readonly Sendable[], task: Task): Promise<void> {
  for (;;) {
    if (task.signal.aborted) {
      tellAll(task, group, { phase: "stopped" });
      return;
    }
    tellAll(task, group, { phase: "sending", sent: 0, error: null, until: null });
    try {
      task.onChange(await (group.length === 1 ? sendOne(group, task) : sendMany(group, task)));
      return;
    } catch (error) {
      const until = refusedUntil(error);
      if (wasStopped(error)) {
        tellAll(task, group, { phase: "stopped" });
        return;
      }
      if (until === null || until - Date.now() > WAIT_AT_MOST_MS) {
        tellAll(task, group, { phase: "refused", error, until });
        return;
      }
      tellAll(task, group, { phase: "waiting", sent: 0, error, until });
      await pause(until - Date.now(), task.signal);
    }
  }
}

async function sendOne([file]: readonly Sendable[], task: Task): Promise<Map<string, Change>> {
  if (file === undefined) {
    return new Map();
  }
  const form = formOf(task.options, task.chatbotId, task.importId);
  if (file.path !== null) {
    form.set("external_id", file.path);
  }
  form.set("file", file.file, file.file.name);
  const sent = await sendForm<Schemas["UploadedOut"]>("/api/chatbot/documents/", {
    form,
    signal: task.signal,
    onProgress: (share) => task.onChange(new Map([[file.key, { sent: share }]])),
  });
  return new Map([
    [file.key, { phase: sent.is_duplicate ? "duplicate" : "accepted", documentId: sent.id, sent: 1 }],
  ]);
}

async function sendMany(group: readonly Sendable[], task: Task): Promise<Map<string, Change>> {
  const form = formOf(task.options, task.chatbotId, task.importId);
  form.set("external_ids", JSON.stringify(group.map((file) => file.path)));
  form.set("bulk", String(task.importId !== null));
  group.forEach((file) => form.append("files", file.file, file.file.name));
  const { documents } = await sendForm<Schemas["BatchUploaded"]>("/api/chatbot/documents/batch/", {
    form,
    signal: task.signal,
    onProgress: (share) => {
      const shares = sharesOf(group, share);
      task.onChange(new Map([...shares].map(([key, sent]) => [key, { sent }])));
    },
  });
  return new Map(
    group.map((file, at): [string, Change] => {
      const told = documents[at];
      return told?.accepted
        ? [
            file.key,
            { phase: told.is_duplicate ? "duplicate" : "accepted", documentId: told.id ?? null, sent: 1 },
          ]
        : [file.key, { phase: "refused", sent: 1, error: new Error(told?.error ?? "") }];
    }),
  );
}

function tellAll(task: Task, files: readonly Sendable[], change: Change): void {
  task.onChange(new Map(files.map((file) => [file.key, change])));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = window.setTimeout(resolve, Math.max(0, ms));
    signal.addEventListener("abort", () => {
      window.clearTimeout(over);
      resolve();
    });
  });
}
