/** Which words of a passage the query looked for. */

export interface Piece {
  text: string;
  isHit: boolean;
}

const WORD = /[\p{L}\p{N}]+/gu;
/** Shorter stems are the whole word, or half the text would be marked. */
const STEM_FROM = 4;
/** Scripts without spaces between words. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u;

function plain(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

export function markedPieces(text: string, forms: readonly string[]): readonly Piece[] {
  const wanted = forms.map(plain).filter((form) => form !== "");
  const unspaced = forms.filter((form) => UNSPACED.test(form));
  const pieces: Piece[] = [];
  let end = 0;
  const add = (from: number, to: number) => {
    if (from > end) {
      pieces.push({ text: text.slice(end, from), isHit: false });
    }
    pieces.push({ text: text.slice(from, to), isHit: true });
    end = to;
  };
  for (const found of text.matchAll(WORD)) {
    const word = found[0];
    if (UNSPACED.test(word)) {
      runsOf(word, unspaced).forEach(([from, to]) => add(found.index + from, found.index + to));
    } else if (isLookedFor(plain(word), wanted)) {
      add(found.index, found.index + word.length);
    }
  }
  return end < text.length ? [...pieces, { text: text.slice(end), isHit: false }] : pieces;
}

function isLookedFor(word: string, wanted: readonly string[]): boolean {
  return wanted.some((form) => word === form || (form.length >= STEM_FROM && word.startsWith(form)));
}

/** Where the forms stand in the word, overlapping ones joined. */
function runsOf(word: string, forms: readonly string[]): readonly (readonly [number, number])[] {
  const covered = Array.from({ length: word.length }, () => false);
  for (const form of forms) {
    for (let at = word.indexOf(form); at >= 0; at = word.indexOf(form, at + 1)) {
      covered.fill(true, at, at + form.length);
    }
  }
  const runs: (readonly [number, number])[] = [];
  for (let from = covered.indexOf(true); from >= 0;) {
    const stop = covered.indexOf(false, from);
    const to = stop < 0 ? word.length : stop;
    runs.push([from, to]);
    from = covered.indexOf(true, to);
  }
  return runs;
}
