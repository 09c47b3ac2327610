import boundaries from "eslint-plugin-boundaries";
import hooks from "eslint-plugin-react-hooks";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** Imports point down: app -> features -> components, lib. A feature knows no other feature; the widget knows none of it. */
export default defineConfig(
  globalIgnores(["node_modules", "src/lib/api/schema.d.ts"]),
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, hooks.configs.flat["recommended-latest"]],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "no-console": "error",
    },
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    plugins: { boundaries },
    settings: {
      "import/resolver": { typescript: { project: "./tsconfig.json" } },
      "boundaries/elements": [
        { type: "main", pattern: "src/main.tsx", mode: "full" },
        { type: "app", pattern: "src/app" },
        { type: "feature", pattern: "src/features/*", capture: ["name"] },
        { type: "components", pattern: "src/components" },
        { type: "lib", pattern: "src/lib" },
        { type: "locales", pattern: "src/locales" },
      ],
    },
    rules: {
      "boundaries/element-types": [
        "error",
        {
          default: "disallow",
          rules: [
            { from: "main", allow: ["app", "lib", "components"] },
            { from: "app", allow: ["app", "feature", "components", "lib"] },
            { from: "feature", allow: [["feature", { name: "${from.name}" }], "components", "lib"] },
            { from: "components", allow: ["components", "lib"] },
            { from: "lib", allow: ["lib", "locales"] },
          ],
        },
      ],
    },
  },
);
