import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { renderMarkdown } from "./render";

function shown(text: string, sources: readonly number[] = []): HTMLElement {
  const holder = document.createElement("div");
  const cite = (number: number): Node | null => {
    if (!sources.includes(number)) return null;
    const marker = document.createElement("button");
    marker.textContent = String(number);
    return marker;
  };
  holder.append(renderMarkdown(text, { document, cite }));
  return holder;
}

const html = (text: string, sources?: readonly number[]): string =>
  shown(text, sources).innerHTML.replaceAll(/ dir="auto"| tabindex="0"/g, "");

describe("what an answer may be made of", () => {
  it.each([
    ["One line\nand the next.", "<p>One line\nand the next.</p>"],
    ["One.\n\nTwo.", "<p>One.</p><p>Two.</p>"],
    ["a  \nb\\\nc", "<p>a  <br>b<br>c</p>"],
    [
      "**bold** and *leaning*, __bold__ and _leaning_",
      "<p><strong>bold</strong> and <em>leaning</em>, <strong>bold</strong> and <em>leaning</em></p>",
    ],
    ["***both***", "<p><strong><em>both</em></strong></p>"],
    ["*a **b** c*", "<p><em>a <strong>b</strong> c</em></p>"],
    [
      "~~gone~~ and 2 * 3 * 4, snake_case_name, 5 ** 2",
      "<p><del>gone</del> and 2 * 3 * 4, snake_case_name, 5 ** 2</p>",
    ],
    ["**中文**没有空格", "<p><strong>中文</strong>没有空格</p>"],
    ["`a < b` and ``x ` y``", "<p><code>a &lt; b</code> and <code>x ` y</code></p>"],
    ["\\*no\\* \\[x\\] &lt;b&gt; &amp;", "<p>*no* [x] &lt;b&gt; &amp;</p>"],
    ["# One\n\n### Three #", "<h3>One</h3><h5>Three</h5>"],
    ["#hashtag", "<p>#hashtag</p>"],
    ["---", "<hr>"],
    ["> said\n> **so**", "<blockquote><p>said\n<strong>so</strong></p></blockquote>"],
    ["```js\nif (a < b) {}\n```\nend", '<pre dir="ltr"><code>if (a &lt; b) {}</code></pre><p>end</p>'],
    ["```\nnever closed", '<pre dir="ltr"><code>never closed</code></pre>'],
    ["- a\n- b\n  - c\n- d", "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>"],
    ["3. c\n4. d", '<ol start="3"><li>c</li><li>d</li></ol>'],
    ["1. a\n\n2. b", "<ol><li>a</li><li>b</li></ol>"],
    ["Steps:\n1. a\n   - x\n2. b", "<p>Steps:</p><ol><li>a<ul><li>x</li></ul></li><li>b</li></ol>"],
    ["- a\n  goes on\n\n  more", "<ul><li>a\ngoes on<p>more</p></li></ul>"],
    ["- a\n1. b", "<ul><li>a</li></ul><ol><li>b</li></ol>"],
  ])("%j", (text, wanted) => {
    expect(html(text)).toBe(wanted);
  });

  it("gives a table the direction of the answer, and each cell's text its own", () => {
    const table = shown("الأسعار هي:\n\n| SKU | السعر |\n|---|---|\n| Beacon 2 | 10 |").querySelector(
      "table",
    );
    expect(table?.dir).toBe("rtl");
    expect([...(table?.querySelectorAll("th, td") ?? [])].every((cell) => !cell.hasAttribute("dir"))).toBe(
      true,
    );
    expect(table?.querySelector("td")?.innerHTML).toBe("<bdi>Beacon 2</bdi>");
    expect(shown("| a | ب |\n|---|---|\n| 1 | 2 |").querySelector("table")?.dir).toBe("ltr");
  });

  it("makes a table with as many cells in each row as its head has", () => {
    const table = shown("| a | b |\n|:--|--:|\n| 1 | x \\| y |\n| only |\n\nafter").querySelector("table");
    const rows = [...(table?.rows ?? [])].map((row) => [...row.cells].map((cell) => cell.textContent));
    expect(rows).toEqual([
      ["a", "b"],
      ["1", "x | y"],
      ["only", ""],
    ]);
    expect(table?.querySelectorAll("th")).toHaveLength(2);
  });

  it("leaves a line with a bar that is no table as it is", () => {
    expect(html("this | that\nand more")).toBe("<p>this | that\nand more</p>");
  });
});

describe("citations", () => {
  it("makes markers of sources that there are, and leaves other numbers in brackets as they are", () => {
    expect(html("So [1], [2][3] and [1, 3]. Not [9].", [1, 2, 3])).toBe(
      "<p>So <button>1</button>, <button>2</button><button>3</button> and <button>1</button><button>3</button>. Not [9].</p>",
    );
  });

  it("makes none in code or in the label of a link", () => {
    expect(html("`[1]` [see [1]](https://a.example/)", [1])).not.toContain("<button>");
  });
});

describe("links", () => {
  it.each([
    ["[here](https://a.example/x?y=1#z)", "https://a.example/x?y=1#z", "here"],
    ['[here](<https://a.example/a b> "title")', "https://a.example/a%20b", "here"],
    ["[mail](mailto:shop@a.example)", "mailto:shop@a.example", "mail"],
    ["<https://a.example/>", "https://a.example/", "https://a.example/"],
    ["See https://a.example/path_(x).", "https://a.example/path_(x)", "https://a.example/path_(x)"],
    ["(https://a.example/)", "https://a.example/", "https://a.example/"],
  ])("%s leads there, in a page of its own that learns nothing of this one", (text, address, words) => {
    const link = shown(text).querySelector("a");
    expect([link?.getAttribute("href"), link?.textContent]).toEqual([address, words]);
    expect([link?.target, link?.rel]).toEqual(["_blank", "noopener noreferrer nofollow ugc"]);
  });

  it.each([
    "/relative",
    "//host/x",
    "#x",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "\u0001javascript:alert(1)",
    "&#106;avascript:alert(1)",
    "vbscript:x",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "blob:https://a.example/1",
    "ftp://a.example/",
    "tel:1",
    "javascript\\:alert(1)",
  ])("%s leads nowhere", (address) => {
    expect(shown(`[x](${address}) [y](<${address}>)`).querySelector("a")).toBeNull();
  });

  it("puts no link into a link", () => {
    expect(shown("[a [b](https://b.example/) c](https://a.example/)").querySelectorAll("a a")).toHaveLength(
      0,
    );
  });

  it("fetches no pictures", () => {
    expect(html("![a chart](https://evil.example/?secret)")).toBe("<p>a chart</p>");
  });
});

// ---- nothing active comes out, whatever goes in

// Beside the project, where it is there.
const SHARED = join(import.meta.dirname, "../../../../shared/data/security/");
const OWN = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<iframe srcdoc='<script>alert(1)</script>'>",
  "[x](javascript:alert(1))",
  "[x](javascript:alert`1`)",
  "[x]( javascript:alert(1))",
  "[x](<javascript:alert(1)>)",
  '[x](https://a.example/" onmouseover="alert(1))',
  "[x](https://a.example/'onclick='alert(1))",
  '![x](x" onerror="alert(1))',
  "<javascript:alert(1)>",
  '<https://a.example/"onclick=alert(1)>',
  'https://a.example/"onmouseover=alert(1)//',
  "`<script>alert(1)</script>`",
  '```"><script>alert(1)</script>\nx\n```',
  "```html\n<script>alert(1)</script>\n```",
  "| <script>alert(1)</script> | b |\n|---|---|\n| <img src=x onerror=alert(1)> | [x](javascript:alert(1)) |",
  "# <style>*{display:none}</style>",
  "- <form action=javascript:alert(1)><button>x</button></form>",
  "> <object data=javascript:alert(1)>",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "&#60;script&#62;alert(1)&#60;/script&#62;",
  "\\<script>alert(1)\\</script>",
  "**<a href=javascript:alert(1)>x</a>**",
  "[<img src=x onerror=alert(1)>](https://a.example/)",
  "[a]: javascript:alert(1)\n\n[a]",
  '<math><mtext></mtext><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  "\u0000<script\u0000>alert(1)</script>",
];

function payloads(): string[] {
  const files: [string, (line: string) => string][] = [
    ["xss/xss_payloads.jsonl", (line) => (JSON.parse(line) as { payload: string }).payload],
  ];
  const listed = files.flatMap(([file, read]) =>
    existsSync(SHARED + file)
      ? readFileSync(SHARED + file, "utf-8")
          .split("\n")
          .filter(Boolean)
          .map(read)
      : [],
  );
  const naughty = existsSync(`${SHARED}strings/blns.json`)
    ? (JSON.parse(readFileSync(`${SHARED}strings/blns.json`, "utf-8")) as string[])
    : [];
  return [...OWN, ...listed, ...naughty];
}

const ELEMENTS = new Set(
  "P H3 H4 H5 H6 PRE CODE BLOCKQUOTE UL OL LI DIV TABLE THEAD TBODY TR TH TD HR BR STRONG EM DEL A BDI SPAN".split(
    " ",
  ),
);
const ATTRIBUTES = new Set(["dir", "tabindex", "class", "start", "href", "target", "rel"]);

function activeIn(holder: HTMLElement): string[] {
  return [...holder.querySelectorAll("*")].flatMap((element) => {
    const names = element.getAttributeNames().filter((name) => !ATTRIBUTES.has(name));
    const address = element.getAttribute("href");
    const leadsAstray = address !== null && !/^(https?:\/\/|mailto:)/.test(address);
    return [
      ...(ELEMENTS.has(element.tagName) ? [] : [element.tagName]),
      ...names,
      ...(leadsAstray ? [address] : []),
    ];
  });
}

describe("hostile texts", () => {
  it("come out as text, in every place of a text", () => {
    const places = [
      (p: string) => p,
      (p: string) => `[x](${p})`,
      (p: string) => `[${p}](https://a.example/)`,
      (p: string) => `- ${p}`,
      (p: string) => `| ${p} | b |\n|---|---|\n| ${p} | c |`,
      (p: string) => `**${p}**`,
      (p: string) => `> ${p}`,
      (p: string) => `![${p}](${p})`,
      (p: string) => `<${p}>`,
    ];
    for (const payload of payloads()) {
      for (const place of places) expect(activeIn(shown(place(payload))), payload).toEqual([]);
    }
  });

  it.each([
    "*",
    "_",
    "**a ",
    "[",
    "[a](",
    "`",
    "``a`",
    "> ",
    "- ",
    "~~",
    "![",
    "<https://",
    "| ",
    "|a\n|-\n",
    "\\",
    "# ",
    "```\n",
    "(",
    "1. ",
    "http://",
  ])("are read in little time when they repeat %j", (piece) => {
    const begun = performance.now();
    shown(piece.repeat(8000 / piece.length));
    expect(performance.now() - begun).toBeLessThan(1500);
  });
});
