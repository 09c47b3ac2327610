import { useMutation, useQueryClient, type QueryKey } from "@tanstack/react-query";

import { useToasts } from "@/components/Toasts";

interface Options {
  /** Lists that are another afterwards. */
  refresh: readonly QueryKey[];
  /** What is then told. */
  done?: string;
}

/** Something that changes the server: says that it was done, and reads again what it changed. */
export function useDeed<Given = void, Got = unknown>(
  run: (given: Given) => Promise<Got>,
  { refresh, done }: Options,
) {
  const cache = useQueryClient();
  const tell = useToasts();
  return useMutation({
    mutationFn: run,
    onSuccess: async () => {
      await Promise.all(refresh.map((queryKey) => cache.invalidateQueries({ queryKey })));
      // Told when the page knows what was saved: whoever leaves then is not asked whether to leave without saving.
      if (done !== undefined) {
        tell.done(done);
      }
    },
  });
}
