import { createContext, use, useCallback, useState, type ReactNode } from "react";

import { DropTarget } from "./DropTarget";
import type { Picked } from "./picked";
import { UploadDialog } from "./UploadDialog";
import { useUploads } from "./UploadProvider";

type Open = (files: readonly Picked[]) => void;

const OpenContext = createContext<Open>(() => undefined);

/** Opens the dialog that asks for labels, with these files or with none yet. */
export function useUploadDialog(): Open {
  return use(OpenContext);
}

export function UploadSurface({ children }: { children: ReactNode }) {
  const { mayUpload } = useUploads();
  const [files, setFiles] = useState<readonly Picked[] | null>(null);
  const add = useCallback(
    (more: readonly Picked[]) => setFiles((now) => (now === null ? more : [...now, ...more])),
    [],
  );
  return (
    <OpenContext value={add}>
      {children}
      {mayUpload && <DropTarget onFiles={add} />}
      {files !== null && <UploadDialog files={files} onFiles={setFiles} onClose={() => setFiles(null)} />}
    </OpenContext>
  );
}
