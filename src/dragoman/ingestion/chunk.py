"""Sixth stop of the document path: cuts a cleaned document into chunks that fit the embedder's window.

Read downwards: `cut_pages` parses the Markdown into blocks, counts the tokens of all blocks in batches, cuts only
those that are too long, packs what results by its numbers, and writes the drafts. Each character that is no white
space ends up in a chunk, in order; headings are in the text of the chunk they open and in the path of all its fellows.

Two things steer the cuts where they are given: `PairSpan`s (from `conversations.py`) are packed each for itself, so
that a question makes a chunk; and what still stands of the version before (`previous.py`) stays cut as it was.

The cutting itself, `cut_pages`, leaves the counting to whoever runs it (`counting.py`).
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

from dragoman.ingestion.clean import whole_text
from dragoman.ingestion.counting import Counting, CountTokens, count_alone
from dragoman.ingestion.previous import PreviousChunks, Span, borders, borders_within
from dragoman.kit.text.sentences import split_sentences
from dragoman.ports.extractor import ExtractedPage

PairKind = Literal["faq", "conversation"]
ChunkKind = Literal["text", "table", "code", "list"] | PairKind
COUNT_BATCH: Final = 512  # texts per call of the tokenizer
LONGEST_PATH_ELEMENT: Final = 160  # characters
HEADER_SHARE: Final = 3  # a table's head is repeated only where it takes less than a third of a chunk
LONGEST_EDIT: Final = 3  # target sizes; so much new text between unchanged chunks is cut into as few as may be
SENTENCE_WINDOW: Final = 2_048  # characters given to the sentence splitter at once: its cost grows with the square


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSettings:
    """Sizes in tokens of the embedding model, without special tokens.

    Attributes:
        target_tokens: a chunk is closed when the next block would lead beyond.
        max_tokens: never exceeded. The default leaves room for title and heading path in a window of 512.
        min_tokens: a smaller section is merged with the next one under the same parent. Larger ones stay apart: the
            path then names exactly what the chunk is about (one product of a catalogue, one clause of a contract).
        overlap_tokens: whole sentences of the chunk before, repeated where a section had to be cut.
    """

    target_tokens: int = 320
    max_tokens: int = 450
    min_tokens: int = 50
    overlap_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkDraft:
    """A chunk before it is stored.

    Attributes:
        ordinal: from 0, in reading order.
        text: `whole[start:end]`, preceded by `repeated_header` where a table goes on from the chunk before.
        heading_path: the headings above, outermost first, without the title of the document.
        page: where its text begins; None where the format has no pages.
        start, end: offsets into the pages joined by a blank line (`CleanedDocument.text`).
        repeated_header: head and separator row of the table with the line break after them, or empty.
        token_count: sum over its parts; the model's own count of the text is this or slightly less.
        provenance: where a question-answer pair comes from, as its `PairSpan` has it; else empty.
    """

    ordinal: int
    text: str
    heading_path: tuple[str, ...]
    page: int | None
    start: int
    end: int
    kind: ChunkKind
    token_count: int
    repeated_header: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSpan:
    """A question with its answer: a stretch of the whole text that shares no chunk with its neighbours.

    Attributes:
        start, end: offsets into the pages joined by a blank line. Spans are in order and do not overlap.
        question: stands in the heading path of the chunks that go on with a long answer.
    """

    start: int
    end: int
    kind: PairKind
    question: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


def chunk_content_hash(text: str, heading_path: Sequence[str]) -> str:
    """SHA-256 of what decides a chunk's vector, in hexadecimal: the same hash means the vector can be taken over."""
    return hashlib.sha256("\x1f".join([*heading_path, text]).encode()).hexdigest()


async def chunk_document(
    pages: Sequence[ExtractedPage],
    *,
    title: str | None,
    count_tokens: CountTokens,
    settings: ChunkSettings,
    language: str = "und",
    pair_spans: Sequence[PairSpan] = (),
    previous: PreviousChunks | None = None,
) -> list[ChunkDraft]:
    """Cuts the pages of a cleaned document.

    The event loop stays free: all that takes long runs in a thread, as a text of 25 MB takes up to 15 s.

    Args:
        count_tokens: Counts a batch of texts; called with at most 512 at once, some two calls for an ordinary document.
        pages, title, settings, language, pair_spans, previous: As in `cut_pages`.
    """
    cutting = cut_pages(
        pages, title=title, settings=settings, language=language, pair_spans=pair_spans, previous=previous
    )
    return await count_alone(cutting, count_tokens, length=sum(len(page.markdown) for page in pages))


def cut_pages(
    pages: Sequence[ExtractedPage],
    *,
    title: str | None,
    settings: ChunkSettings,
    language: str = "und",
    pair_spans: Sequence[PairSpan] = (),
    previous: PreviousChunks | None = None,
) -> Counting[list[ChunkDraft]]:
    """The cutting of a document.

    With `previous`, one edited, added or removed paragraph leaves all but three chunks with the content hash they had.

    Args:
        pages: As cleaned; offsets refer to their texts joined by a blank line.
        title: Of the document; a heading that only repeats it is left out of the paths.
        settings: Sizes.
        language: ISO 639-1 of the document, or "und"; decides where sentences end.
        pair_spans: Questions with their answers, from `conversations.read_pairs`.
        previous: The chunks of the version that is replaced, where they were cut with the same settings.
    """
    whole = whole_text(pages)
    kept = previous.kept_spans(whole) if previous else []
    cuts = borders(whole, [*((span.start, span.end) for span in pair_spans), *kept])
    atoms = yield from _measured(whole, list(_blocks(pages, title or "")), settings, language, cuts)
    packs = _packs(whole, _placed(atoms, pair_spans, kept), settings)
    overlapping = yield from _with_counted_overlap(
        whole, list(_with_overlap(whole, packs, settings, language)), settings
    )
    return [
        _draft(whole, ordinal, pack, start, extra, pair_spans)
        for ordinal, (pack, start, extra) in enumerate(overlapping)
    ]


# --- blocks: what the Markdown consists of ---------------------------------------------------------------------------


class _Atom(NamedTuple):
    """A stretch of text that is packed as one: a block, or a part of a block that was too long.

    Attributes:
        level: of a heading, 0 for all else.
        path: headings above, for a heading including itself.
        leads_in: belongs to what follows ("The following apply:"), as does every heading.
        header: span of the table's head (with separator row) that a later part of a table needs before it.
        head_end: of a whole table: where its first row begins; its own `start` where it has no head.
        pair: number of the `PairSpan` it lies in, -1 for none.
        kept: number of the unchanged chunk of the version before that it lies in, -1 for none.
    """

    start: int
    end: int
    kind: ChunkKind
    page: int | None
    path: tuple[str, ...]
    level: int = 0
    leads_in: bool = False
    head_end: int = 0
    header: tuple[int, int] | None = None
    header_tokens: int = 0
    tokens: int = 0
    pair: int = -1
    kept: int = -1


_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-{3,})[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_CLOSING_FENCE: Final = re.compile(r"\s*(?:`{3,}|~{3,})\s*$")
MOST_FENCES_WITHIN: Final = 64  # fences of another kind inside a code block; a bound for hostile texts
_ITEM: Final = re.compile(r"[ \t]*(?:[-*+•‣◦▪]|\(?(?:\d{1,3}|[A-Za-z])[.)])[ \t]+\S")
_TABLE_SEPARATOR: Final = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?$")
_EMPHASIS: Final = re.compile(r"[*_`]{1,3}(?=\S)(.+?)(?<=\S)[*_`]{1,3}")
_LEAD_IN: Final = (":", "：", "\uff1a", "፦", "…:")

_SENTENCE_END: Final = (".", "!", "?", "。", "！", "？", "।", "؟", "|")

Line = tuple[int, int, str]


def _blocks(pages: Sequence[ExtractedPage], title: str) -> Iterator[_Atom]:
    """All blocks in order, with the headings above each of them."""
    stack: list[tuple[int, str]] = []
    path: tuple[str, ...] = ()
    offset = 0
    for page in pages:
        for start, end, kind, level, head_end in _page_blocks(page.markdown):
            text = page.markdown[start:end]
            if level:
                stack = [entry for entry in stack if entry[0] < level]
                stack.append((level, _heading_text(text)))
                path = tuple(name for _, name in stack if name and name.casefold() != title.casefold())
            yield _Atom(
                start=offset + start,
                end=offset + end,
                kind=kind,
                page=page.number,
                path=path,
                level=level,
                leads_in=kind == "text" and not level and text.rstrip().rstrip("*_").endswith(_LEAD_IN),
                head_end=offset + head_end,
            )
        offset += len(page.markdown) + 2


def _heading_text(block: str) -> str:
    line = block.strip().split("\n")[0]
    found = _HEADING.match(line)
    name = _EMPHASIS.sub(r"\1", found[2] if found else line)
    return " ".join(name.split())[:LONGEST_PATH_ELEMENT]


def _page_blocks(text: str) -> Iterator[tuple[int, int, ChunkKind, int, int]]:
    """Start, end, kind, level and end of the table head of each block of a page."""
    lines = _lines(text)
    has_fences = "```" in text or "~~~" in text
    closing_fences = (
        [index for index, (_, _, line) in enumerate(lines) if _CLOSING_FENCE.match(line)] if has_fences else []
    )
    at = 0
    while at < len(lines):
        if not lines[at][2].strip():
            at += 1
            continue
        stop, kind, level = _block_at(lines, at, closing_fences)
        start, end = lines[at][0], lines[stop - 1][1]
        has_head = kind == "table" and stop - at > 2 and _TABLE_SEPARATOR.match(lines[at + 1][2])
        yield start, end, kind, level, lines[at + 2][0] if has_head else start
        at = stop


def _lines(text: str) -> list[Line]:
    lines = []
    start = 0
    for line in text.split("\n"):
        lines.append((start, start + len(line), line))
        start += len(line) + 1
    return lines


def _block_at(lines: Sequence[Line], at: int, closing_fences: Sequence[int]) -> tuple[int, ChunkKind, int]:
    """Index of the line after the block that begins at line `at`, its kind, and its level as a heading."""
    line = lines[at][2]
    if not _is_surely_prose(line):
        heading = _HEADING.match(line)
        if heading:
            return at + 1, "text", len(heading[1])
        fence = _FENCE.match(line)
        if fence and (stop := _fence_end(lines, at, fence[1], closing_fences)):
            return stop, "code", 0
        if _is_row(lines, at):
            return _run_end(lines, at, lambda index: _is_row(lines, index)), "table", 0
        if _ITEM.match(line):
            return _list_end(lines, at), "list", 0
    underline = _UNDERLINE.match(lines[at + 1][2]) if at + 1 < len(lines) else None
    if underline and line.strip(" -*_=") and len(line) <= LONGEST_PATH_ELEMENT:
        return at + 2, "text", 1 if underline[1].startswith("=") else 2
    return _run_end(lines, at, lambda index: not _opens_block(lines, index)), "text", 0


def _fence_end(lines: Sequence[Line], at: int, fence: str, closing_fences: Sequence[int]) -> int | None:
    """None where the fence is never closed: then it is no code."""
    for index in closing_fences[bisect_right(closing_fences, at) :][:MOST_FENCES_WITHIN]:
        if lines[index][2].strip().startswith(fence):
            return index + 1
    return None


def _is_row(lines: Sequence[Line], at: int) -> bool:
    line = lines[at][2].strip()
    if line.startswith("|") and line.count("|") > 1:
        return True
    return bool(_TABLE_SEPARATOR.match(line)) and at > 0 and "|" in lines[at - 1][2]


def _run_end(lines: Sequence[Line], at: int, belongs: Callable[[int], bool]) -> int:
    stop = at + 1
    while stop < len(lines) and lines[stop][2].strip() and belongs(stop):
        stop += 1
    return stop


def _opens_block(lines: Sequence[Line], at: int) -> bool:
    line = lines[at][2]
    if _is_surely_prose(line):
        return False
    return bool(_HEADING.match(line) or _FENCE.match(line) or _ITEM.match(line)) or _is_row(lines, at)


def _is_surely_prose(line: str) -> bool:
    """By its first two characters: most lines begin with a word, which no heading, fence, row or item does."""
    return line[:1].isalpha() and line[1:2] not in (".", ")")


def _list_end(lines: Sequence[Line], at: int) -> int:
    """A list ends at text that neither is an item nor is indented, once a blank line stands before it."""
    stop = at + 1
    while stop < len(lines):
        line = lines[stop][2]
        if not line.strip():
            after = next((index for index in range(stop + 1, len(lines)) if lines[index][2].strip()), len(lines))
            goes_on = (
                after < len(lines)
                and after - stop <= 2
                and (_ITEM.match(lines[after][2]) or lines[after][2].startswith(("  ", "\t")))
            )
            if not goes_on:
                return stop
            stop = after
        elif _HEADING.match(line) or _FENCE.match(line) or _is_row(lines, stop):
            return stop
        else:
            stop += 1
    return stop


# --- measuring, and cutting what is too long -------------------------------------------------------------------------


def _measured(
    whole: str, blocks: Sequence[_Atom], settings: ChunkSettings, language: str, cuts: Sequence[int]
) -> Counting[list[_Atom]]:
    """All atoms with their tokens, none above `max_tokens`: blocks, else their parts, else parts of those.

    A block in which a cut is wanted is taken apart as one that is too long.
    """
    blocks = yield from _counted(whole, blocks)
    too_long = [block for block in blocks if block.tokens > settings.max_tokens or _cuts_within(whole, block, cuts)]
    if not too_long:
        return list(blocks)
    heads = [block._replace(end=max(block.start, block.head_end), tokens=0) for block in too_long]
    counted_heads = yield from _counted(whole, heads)
    parts = [
        part
        for block, head in zip(too_long, counted_heads, strict=True)
        for part in _parts(whole, block, head.tokens, settings, language, cuts)
    ]
    while any(part.tokens == 0 for part in parts):
        parts = yield from _counted(whole, parts)
        parts = [half for part in parts for half in _halves(whole, part, settings)]
    taken_apart = {block.start for block in too_long}
    short = [block for block in blocks if block.start not in taken_apart]
    return sorted([*short, *parts], key=lambda atom: atom.start)


def _cuts_within(whole: str, block: _Atom, cuts: Sequence[int]) -> list[int]:
    """Those that have text of the block on both sides."""
    within = borders_within(cuts, block.start, block.end)
    return [cut for cut in within if whole[block.start : cut].strip() and whole[cut : block.end].strip()]


def _counted(whole: str, atoms: Sequence[_Atom]) -> Counting[list[_Atom]]:
    """Fills in the tokens of those atoms that have none yet, without the marks that the model adds to every text."""
    waiting = [at for at, atom in enumerate(atoms) if not atom.tokens]
    counted = list(atoms)
    for first in range(0, len(waiting), COUNT_BATCH - 1):
        batch = waiting[first : first + COUNT_BATCH - 1]
        marks, *counts = yield ["", *(whole[atoms[at].start : atoms[at].end] for at in batch)]
        for at, count in zip(batch, counts, strict=True):
            counted[at] = atoms[at]._replace(tokens=max(1, count - marks))
    return counted


def _parts(
    whole: str, block: _Atom, head_tokens: int, settings: ChunkSettings, language: str, cuts: Sequence[int]
) -> list[_Atom]:
    """Rows of a table, items of a list, lines of code, sentences of a paragraph. Each reaches up to the next one."""
    header = None
    if block.kind == "table" and block.head_end > block.start and head_tokens * HEADER_SHARE <= settings.max_tokens:
        header = (block.start, block.head_end)
    starts = sorted({block.start, *_part_starts(whole, block, language), *_cuts_within(whole, block, cuts)})
    parts = []
    for start, end in zip(starts, [*starts[1:], block.end], strict=True):
        later = header if start > block.start else None
        parts.append(
            block._replace(
                start=start,
                end=start + len(whole[start:end].rstrip()),
                tokens=0,
                level=0,
                leads_in=False,
                header=later,
                header_tokens=head_tokens if later else 0,
            )
        )
    return [part for part in parts if part.end > part.start]


def _part_starts(whole: str, block: _Atom, language: str) -> Iterator[int]:
    text = whole[block.start : block.end]
    if block.kind == "text":
        for start in _sentence_starts(text, language):
            yield block.start + start
        return
    after_head = max(block.head_end, block.start)
    for start, _, line in _lines(text):
        if block.kind == "list":
            belongs = bool(_ITEM.match(line))
        else:
            belongs = bool(line.strip()) and block.start + start >= after_head
        if belongs and not (block.kind == "table" and block.start + start == after_head):
            yield block.start + start  # the first row stays with its head


def _sentence_starts(text: str, language: str) -> Iterator[int]:
    """Of a paragraph of any length. The last sentence of each window may go on, so the next window begins with it."""
    opened = 0
    while opened < len(text):
        closed = opened + SENTENCE_WINDOW
        starts = [opened + start for start, _ in split_sentences(text[opened:closed], language)]
        goes_on = closed < len(text) and len(starts) > 1
        yield from starts[:-1] if goes_on else starts
        opened = starts[-1] if goes_on else closed


def _halves(whole: str, part: _Atom, settings: ChunkSettings) -> list[_Atom]:
    """The part, or its halves (uncounted) where it is too long: at a sentence sign, a space, or anywhere."""
    limit = settings.max_tokens - part.header_tokens
    if part.tokens <= limit or part.end - part.start < 2:
        return [part]
    middle = (part.start + part.end) // 2
    reach = (part.end - part.start) // 4
    cut = _cut_near(whole, middle, reach)
    after = cut + len(whole[cut : part.end]) - len(whole[cut : part.end].lstrip())
    first = part._replace(end=part.start + len(whole[part.start : cut].rstrip()), tokens=0)
    second = part._replace(start=after, tokens=0)
    return [half for half in (first, second) if half.end > half.start]


def _cut_near(whole: str, middle: int, reach: int) -> int:
    for signs in (".!?。！？;；\n", ",，、:|", " \t"):
        near = [at + 1 for at in range(middle - reach, middle + reach) if whole[at] in signs]
        if near:
            return min(near, key=lambda at: abs(at - middle))
    return middle


# --- packing ---------------------------------------------------------------------------------------------------------

_Pack = list[_Atom]


def _tokens(pack: Sequence[_Atom]) -> int:
    return sum(atom.tokens for atom in pack) + (pack[0].header_tokens if pack else 0)


def _placed(atoms: Sequence[_Atom], pair_spans: Sequence[PairSpan], kept: Sequence[Span]) -> Sequence[_Atom]:
    """The atoms with the pair and the unchanged chunk that each lies in."""
    if not pair_spans and not kept:
        return atoms
    pairs = _numbers(atoms, [(span.start, span.end) for span in pair_spans])
    chunks = _numbers(atoms, kept)
    return [atom._replace(pair=pair, kept=chunk) for atom, pair, chunk in zip(atoms, pairs, chunks, strict=True)]


def _numbers(atoms: Iterable[_Atom], spans: Sequence[Span]) -> Iterator[int]:
    """For each atom the number of the span it lies in, -1 for none. Both are in order."""
    at = 0
    for atom in atoms:
        while at < len(spans) and spans[at][1] <= atom.start:
            at += 1
        yield at if at < len(spans) and spans[at][0] < atom.end else -1


def _packs(whole: str, atoms: Sequence[_Atom], settings: ChunkSettings) -> Iterator[_Pack]:
    """What goes into each chunk: pairs each for itself, unchanged chunks as they were, all else by its sizes."""
    for pair, together in groupby(atoms, key=lambda atom: atom.pair):
        group = list(together)
        if pair >= 0 and _tokens(group) <= settings.max_tokens:
            yield group
        elif all(atom.kept < 0 for atom in group):
            yield from _merge_tiny(_pack(whole, group, settings), settings)
        else:
            yield from _merge_tiny(_around_kept(whole, group, settings), settings)


def _around_kept(whole: str, atoms: Sequence[_Atom], settings: ChunkSettings) -> Iterator[_Pack]:
    """Unchanged chunks as they are; what is new between them is packed, small pieces with a neighbour that has room."""
    pieces: list[_Pack] = []
    for kept, together in groupby(atoms, key=lambda atom: atom.kept):
        piece = list(together)
        before = pieces[-1] if pieces else None
        if kept >= 0 and _tokens(piece) > settings.max_tokens:  # measured in other parts than it was
            piece = _released(piece)
        if before and _belong_together(before, piece, settings):
            pieces[-1] = _released([*before, *piece])
        else:
            pieces.append(piece)
    for piece in pieces:
        is_one = _tokens(piece) <= settings.max_tokens and not any(atom.level for atom in piece[1:])
        if piece[0].kept >= 0 or is_one:
            yield piece
        else:
            is_edit = _tokens(piece) <= LONGEST_EDIT * settings.target_tokens
            limits = replace(settings, target_tokens=settings.max_tokens) if is_edit else settings
            yield from _merge_tiny(_pack(whole, piece, limits), settings)


def _released(pack: Iterable[_Atom]) -> _Pack:
    return [atom._replace(kept=-1) for atom in pack]


def _belong_together(before: _Pack, piece: _Pack, settings: ChunkSettings) -> bool:
    """Whether a chunk must not end here: after a heading, within what is new, or where both are small."""
    if before[-1].level or before[-1].leads_in:
        return True
    if before[0].kept >= 0 and piece[0].kept >= 0:
        return False
    if before[0].kept < 0 and piece[0].kept < 0:
        return True
    return (
        not piece[0].level
        and before[-1].path == piece[0].path
        and _tokens(before) + _tokens(piece) <= settings.target_tokens
    )


def _pack(whole: str, atoms: Sequence[_Atom], settings: ChunkSettings) -> Iterator[_Pack]:
    """Fills chunks in reading order. A heading opens a new one, unless what came before is tiny and its sibling."""
    current: _Pack = []
    for atom in atoms:
        if atom.level and current and _closes(current, atom, settings):
            yield current
            current = []
        elif not atom.level and current and not _fits(whole, current, atom, settings):
            done, carried = _without_lead_in(current)
            if done:
                yield done
            current = carried
            if current and _tokens([*current, atom]) > settings.max_tokens:
                yield current
                current = []
        current.append(atom)
    if current:
        yield current


def _closes(current: _Pack, heading: _Atom, settings: ChunkSettings) -> bool:
    if _tokens(current) + heading.tokens > settings.target_tokens:
        return True
    if all(atom.level for atom in current):
        return False
    if heading.page != current[0].page:
        return True  # so that a citation names the right page
    first = current[0]
    opened_midway = not first.level and bool(first.path)
    leaves_parent = bool(first.level) and heading.level < first.level
    return opened_midway or leaves_parent or _tokens(current) >= settings.min_tokens


def _fits(whole: str, current: _Pack, atom: _Atom, settings: ChunkSettings) -> bool:
    """Up to the target; beyond it, up to the maximum, where the chunk would otherwise be less than half full."""
    together = _tokens(current) + atom.tokens
    if atom.page != current[-1].page and _tokens(current) >= settings.min_tokens:
        last = whole[current[-1].start : current[-1].end].rstrip("\"'”’»)*_")
        if last.endswith(_SENTENCE_END):
            return False  # a page ends where a sentence does
    if together <= settings.target_tokens:
        return True
    return together <= settings.max_tokens and _tokens(current) * 2 < settings.target_tokens


def _without_lead_in(current: _Pack) -> tuple[_Pack, _Pack]:
    """Splits off the headings and lead-in lines at the end: they go with what follows."""
    cut = len(current)
    while cut and (current[cut - 1].level or current[cut - 1].leads_in):
        cut -= 1
    return current[:cut], current[cut:]


def _merge_tiny(packs: Iterable[_Pack], settings: ChunkSettings) -> list[_Pack]:
    """Gives what remained tiny to the chunk before it, where that is of the same parent."""
    merged: list[_Pack] = []
    for pack in packs:
        is_new = not merged or pack[0].kept < 0 or merged[-1][0].kept < 0
        if merged and is_new and _tokens(pack) < settings.min_tokens and _may_join(merged[-1], pack, settings):
            merged[-1] = [*merged[-1], *pack]
        else:
            merged.append(pack)
    return merged


def _may_join(before: _Pack, pack: _Pack, settings: ChunkSettings) -> bool:
    if sum(atom.tokens for atom in pack) + _tokens(before) > settings.max_tokens:
        return False
    if before[-1].path == pack[0].path and not pack[0].level:
        return True  # the same section goes on
    parent = pack[0].path[:-1] if pack[0].level else pack[0].path
    return bool(before[0].level) and _path(before)[: len(parent)] == parent


def _path(pack: _Pack) -> tuple[str, ...]:
    """The headings that all its text has in common."""
    paths = [atom.path for atom in pack if not atom.level] or [pack[0].path]
    shared = paths[0]
    for path in paths[1:]:
        length = next((at for at, (a, b) in enumerate(zip(shared, path, strict=False)) if a != b), len(path))
        shared = shared[: min(length, len(shared))]
    return shared


# --- drafts ----------------------------------------------------------------------------------------------------------


def _with_overlap(
    whole: str, packs: Iterable[_Pack], settings: ChunkSettings, language: str
) -> Iterator[tuple[_Pack, int, int]]:
    """Each pack with its start, moved back over whole sentences where an overlap is wanted, and the tokens of those."""
    before: _Pack = []
    for pack in packs:
        start, extra = pack[0].start, 0
        if settings.overlap_tokens and before and pack[0].kind == "text" and not pack[0].level:
            start, extra = _overlap(whole, before[-1], pack, settings, language)
        yield pack, start, extra
        before = pack


def _with_counted_overlap(
    whole: str, packs: Sequence[tuple[_Pack, int, int]], settings: ChunkSettings
) -> Counting[list[tuple[_Pack, int, int]]]:
    """The overlaps were estimated; here they are counted, and left out where they do not fit after all."""
    counted = list(packs)
    waiting = [at for at, (_, _, extra) in enumerate(packs) if extra]
    for first in range(0, len(waiting), COUNT_BATCH - 1):
        batch = waiting[first : first + COUNT_BATCH - 1]
        texts = [whole[packs[at][1] : packs[at][0][0].start] for at in batch]
        marks, *counts = yield ["", *texts]
        for at, count in zip(batch, counts, strict=True):
            pack, start, _ = packs[at]
            fits = _tokens(pack) + count - marks <= settings.max_tokens
            counted[at] = (pack, start, count - marks) if fits else (pack, pack[0].start, 0)
    return counted


def _overlap(whole: str, before: _Atom, pack: _Pack, settings: ChunkSettings, language: str) -> tuple[int, int]:
    """Sentences are weighed by their share of the tokens of the block before, and counted later, all at once."""
    start = pack[0].start
    room = min(settings.overlap_tokens, settings.max_tokens - _tokens(pack))
    if before.kind != "text" or before.level or before.path != pack[0].path or before.pair != pack[0].pair:
        return start, 0
    density = before.tokens / (before.end - before.start)
    best, extra = start, 0
    for first, _ in reversed(split_sentences(whole[before.start : before.end], language)):
        cost = int(density * (before.end - before.start - first)) + 1
        if cost > room:
            break
        best, extra = before.start + first, cost
    return best, extra


def _draft(
    whole: str, ordinal: int, pack: _Pack, start: int, extra_tokens: int, pair_spans: Sequence[PairSpan]
) -> ChunkDraft:
    end = pack[-1].end
    header = whole[slice(*pack[0].header)] if pack[0].header else ""
    opening = next((atom for atom in pack if not atom.level), pack[0])
    pair = pair_spans[pack[0].pair] if pack[0].pair >= 0 else None
    path = _path(pack)
    if pair and start > pair.start and pair.question not in path:
        path = (*path, pair.question[:LONGEST_PATH_ELEMENT])
    return ChunkDraft(
        ordinal=ordinal,
        text=header + whole[start:end],
        heading_path=path,
        page=opening.page,
        start=start,
        end=end,
        kind=pair.kind if pair else _kind(pack),
        token_count=_tokens(pack) + extra_tokens,
        repeated_header=header,
        provenance=pair.provenance if pair else {},
    )


def _kind(pack: _Pack) -> ChunkKind:
    """What most of its tokens are."""
    weights: dict[ChunkKind, int] = {"text": 0}
    for atom in pack:
        if not atom.level:
            weights[atom.kind] = weights.get(atom.kind, 0) + atom.tokens
    return max(weights, key=weights.__getitem__)
