import { expect, it } from "vitest";

import { namespaceOf } from "./pages";

it.each([
  ["/", "chat"],
  ["/chat/019a", "chat"],
  ["/search", "search-lab"],
  ["/set-password", "sign-in"],
  ["/admin/users", "admin"],
  ["/toString", "chat"],
])("the page at %s shows texts of %s", (pathname, namespace) => {
  expect(namespaceOf(pathname)).toBe(namespace);
});
