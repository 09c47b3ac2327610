import { expect, it } from "vitest";

import { deviceOf } from "./device";

it.each([
  ["Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox, Linux"],
  ["Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/128.0 Safari/537.36 Edg/128.0", "Edge, Windows"],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari, iOS"],
  ["python-httpx/0.27", "python-httpx/0.27"],
  ["", ""],
])("%s is called %s", (userAgent, name) => {
  expect(deviceOf(userAgent)).toBe(name);
});
