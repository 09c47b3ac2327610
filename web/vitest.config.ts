import { mergeConfig } from "vite";
import { defineConfig } from "vitest/config";

import base from "./vite.config";

export default mergeConfig(
  base,
  defineConfig({
    test: {
      environment: "happy-dom",
      setupFiles: ["./src/lib/testing/setup.ts"],
      include: ["src/**/*.test.{ts,tsx}", "widget/**/*.test.ts"],
      restoreMocks: true,
    },
  }),
);
