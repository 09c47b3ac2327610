import { defineConfig } from "vite";

import { compressed } from "./compressed";

const OUT = "../src/dragoman/web";

/** The widget: one file without a hash in its name, beside the application in the Python package. */
export default defineConfig({
  plugins: [compressed(OUT, /^widget\.js$/)],
  publicDir: false,
  build: {
    outDir: OUT,
    emptyOutDir: false, // the application is built there before
    target: "es2022",
    lib: { entry: "widget/main.ts", formats: ["iife"], name: "dragomanWidget", fileName: () => "widget.js" },
  },
});
