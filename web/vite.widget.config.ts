import { defineConfig } from "vite";

/** The widget: one file without a hash in its name, beside the application in the Python package. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "../src/dragoman/web",
    emptyOutDir: false, // the application is built there before
    target: "es2022",
    lib: { entry: "widget/main.ts", formats: ["iife"], name: "dragomanWidget", fileName: () => "widget.js" },
  },
});
