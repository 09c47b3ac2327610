"""PowerPoint (PPTX): each slide a page with its title, texts, tables, charts, diagrams, pictures and speaker's notes.

kreuzberg 4.10 leaves out notes, charts and pictures of slides, so their XML is read here. Source of the element names:
ECMA-376, part 1 (PresentationML and DrawingML).
"""

from __future__ import annotations

import asyncio
import posixpath
import zipfile
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from pydantic import BaseModel, ConfigDict

from dragoman.adapters.extractor._parts.containers import opened_container, parsed_xml, read_member
from dragoman.adapters.extractor._parts.pictures import Gallery, mark
from dragoman.adapters.extractor._parts.titles import best_title
from dragoman.kit.text.markdown import table
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractedPage,
    ExtractionError,
    UnsupportedFormatError,
)

_OFFICE: Final = "application/vnd.openxmlformats-officedocument.presentationml"
MIME_TYPES: Final = frozenset(
    {
        f"{_OFFICE}.presentation",
        f"{_OFFICE}.slideshow",
        f"{_OFFICE}.template",
        "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    }
)
DEEPEST: Final = 40  # groups within groups
MOST_POINTS: Final = 2_000  # of a chart

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P: Final = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_C: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DGM: Final = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_MC: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_TERMS: Final = "{http://purl.org/dc/terms/}"
_TITLES: Final = frozenset({"title", "ctrTitle"})
_FURNITURE: Final = frozenset({"sldNum", "sldImg"})  # the number, the picture of the slide in its notes


class Settings(BaseModel):
    """There is nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def mime_types(self) -> frozenset[str]:
        return MIME_TYPES

    async def extract(
        self, content: bytes, *, mime_type: str, file_name: str, with_images: bool = False
    ) -> ExtractedDocument:
        if mime_type not in MIME_TYPES:
            raise UnsupportedFormatError(file_name=file_name, mime_type=mime_type)
        if content.startswith(_OLE):  # a presentation with a password is one inside
            raise EncryptedDocumentError(file_name=file_name)
        return await asyncio.to_thread(_document, content, file_name, Gallery() if with_images else None)


def _document(content: bytes, file_name: str, gallery: Gallery | None) -> ExtractedDocument:
    with opened_container(content, file_name) as container:
        package = _Package(container, file_name)
        slides = _slides(package)
        pages, warnings = [], []
        for number, part in enumerate(slides, start=1):
            try:
                blocks = list(_Slide(package, part, number, gallery).blocks())
            except ExtractionError as error:
                blocks = []
                warnings.append(f"Slide {number} is damaged and was left out: {error}")
            pages.append(ExtractedPage(number=number, markdown="\n\n".join(block for block in blocks if block)))
        stated = _properties(package)
    return ExtractedDocument(
        pages=pages,
        title=best_title(stated.pop("title", None), pages),
        metadata=stated,
        images=gallery.images if gallery else (),
        warnings=[*warnings, *(gallery.warnings if gallery else [])],
    )


class _Package:
    """The parts of the container and the relations between them."""

    def __init__(self, container: zipfile.ZipFile, file_name: str) -> None:
        self._container, self._file_name = container, file_name

    def read(self, part: str) -> bytes | None:
        return read_member(self._container, part)

    def root(self, part: str) -> Element | None:
        data = self.read(part)
        return parsed_xml(data, self._file_name) if data is not None else None

    def targets(self, part: str) -> dict[str, tuple[str, str]]:
        """By the identity of a relation: the last word of its type, and the part that it leads to."""
        folder, name = posixpath.split(part)
        root = self.root(f"{folder}/_rels/{name}.rels".lstrip("/"))
        found = {}
        for relation in root if root is not None else ():
            if relation.get("TargetMode") != "External":
                kind = relation.get("Type", "").rsplit("/", maxsplit=1)[-1]
                target = relation.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
                found[relation.get("Id", "")] = kind, path.lstrip("/")
        return found

    def damaged(self, reason: str) -> ExtractionError:
        return ExtractionError(file_name=self._file_name, reason=reason)


def _slides(package: _Package) -> list[str]:
    """The parts of the slides in the order of the presentation."""
    main = next((path for kind, path in package.targets("").values() if kind == "officeDocument"), "")
    root = package.root(main) if main else None
    if root is None:
        raise package.damaged("there is no presentation in the container")
    targets = package.targets(main)
    listed = [targets.get(slide.get(f"{_R}id", ""), ("", ""))[1] for slide in root.iter(f"{_P}sldId")]
    return [part for part in listed if part]


def _properties(package: _Package) -> dict[str, object]:
    part = next((path for kind, path in package.targets("").values() if kind == "core-properties"), "")
    root = package.root(part) if part else None
    if root is None:
        return {}
    texts = {"title": f"{_DC}title", "language": f"{_DC}language"}
    texts |= {"created_at": f"{_TERMS}created", "modified_at": f"{_TERMS}modified"}
    found: dict[str, object] = {name: text for name, tag in texts.items() if (text := root.findtext(tag))}
    if author := root.findtext(f"{_DC}creator"):
        found["authors"] = [author]
    return found


class _Slide:
    """Writes one slide as Markdown blocks."""

    def __init__(self, package: _Package, part: str, number: int, gallery: Gallery | None) -> None:
        self._package, self._part, self._number, self._gallery = package, part, number, gallery
        self._targets = package.targets(part)

    def blocks(self) -> Iterator[str]:
        root = self._package.root(self._part)
        if root is None:
            raise self._package.damaged(f"slide {self._number} is missing")
        shapes = list(_shapes(root.find(f"{_P}cSld/{_P}spTree"), 0))
        titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
        for shape in titles:
            if text := " ".join(" ".join(_paragraphs(shape)).split()):
                yield f"## {text}"
        for shape in shapes:
            if shape not in titles and _placeholder(shape) not in _FURNITURE:
                yield from self._shape(shape)
        yield from self._notes()

    def _shape(self, shape: Element) -> Iterator[str]:
        if shape.tag == f"{_P}pic":
            yield from self._picture(shape)
        elif shape.tag == f"{_P}graphicFrame":
            yield from self._graphic(shape)
        else:
            is_body = _placeholder(shape) in {"body", "obj", ""} and shape.find(f".//{_P}ph") is not None
            yield _text_block(shape, is_body)

    def _graphic(self, frame: Element) -> Iterator[str]:
        for grid in frame.iter(f"{_A}tbl"):
            rows = [[_cell(cell) for cell in row.iter(f"{_A}tc")] for row in grid.iter(f"{_A}tr")]
            rows = [row for row in rows if any(row)]
            if rows:
                yield table(rows[0], rows[1:])
        for chart in frame.iter(f"{_C}chart"):
            root = self._related(chart.get(f"{_R}id", ""))
            if root is not None:
                yield from _chart(root)
        for diagram in frame.iter(f"{_DGM}relIds"):
            root = self._related(diagram.get(f"{_R}dm", ""))
            if root is not None:
                yield "\n".join(f"- {text}" for text in _paragraphs(root) if text.strip())

    def _related(self, identity: str) -> Element | None:
        part = self._targets.get(identity, ("", ""))[1]
        return self._package.root(part) if part else None

    def _picture(self, shape: Element) -> Iterator[str]:
        blip, names = shape.find(f".//{_A}blip"), shape.find(f".//{_P}cNvPr")
        if self._gallery is None or blip is None:
            return
        part = self._targets.get(blip.get(f"{_R}embed", ""), ("", ""))[1]
        data = self._package.read(part) if part else None
        description = names.get("descr", "") if names is not None else ""
        index = self._gallery.add(data, page=self._number, description=description) if data else None
        if index is not None:
            yield mark(index, description)

    def _notes(self) -> Iterator[str]:
        part = next((path for kind, path in self._targets.values() if kind == "notesSlide"), "")
        root = self._package.root(part) if part else None
        if root is not None:
            for shape in _shapes(root.find(f"{_P}cSld/{_P}spTree"), 0):
                if _placeholder(shape) == "body":
                    yield "\n\n".join(text for text in _paragraphs(shape) if text.strip())


def _shapes(tree: Element | None, depth: int) -> Iterator[Element]:
    """The shapes of a tree in order, those of groups in the place of the group."""
    for child in tree if tree is not None and depth <= DEEPEST else ():
        if child.tag == f"{_P}grpSp":
            yield from _shapes(child, depth + 1)
        elif child.tag == f"{_MC}AlternateContent":
            chosen = child.find(f"{_MC}Fallback")
            yield from _shapes(chosen if chosen is not None and len(chosen) else child.find(f"{_MC}Choice"), depth + 1)
        elif child.tag in {f"{_P}sp", f"{_P}pic", f"{_P}graphicFrame", f"{_P}cxnSp"}:
            yield child


def _placeholder(shape: Element) -> str:
    """What the shape is on the slide: `title`, `body`, …; empty where it says nothing."""
    found = shape.find(f".//{_P}ph")
    return found.get("type", "") if found is not None else ""


def _paragraphs(element: Element) -> Iterator[str]:
    for paragraph in element.iter(f"{_A}p"):
        yield _line(paragraph)


def _line(paragraph: Element) -> str:
    pieces = []
    for node in paragraph.iter():
        if node.tag == f"{_A}t":
            pieces.append(node.text or "")
        elif node.tag == f"{_A}br":
            pieces.append("\n")
        elif node.tag == f"{_A}tab":
            pieces.append("\t")
    return "".join(pieces).strip()


def _text_block(shape: Element, is_body: bool) -> str:
    """The paragraphs; of a text placeholder as a list where there are several, as slides show them."""
    lines = [(paragraph, text) for paragraph in shape.iter(f"{_A}p") if (text := _line(paragraph))]
    if not is_body or len(lines) < 2:
        return "\n\n".join(f"\\{text}" if text.startswith("#") else text for _, text in lines)
    return "\n".join(f"{'  ' * _level(paragraph)}- {' '.join(text.split())}" for paragraph, text in lines)


def _level(paragraph: Element) -> int:
    properties = paragraph.find(f"{_A}pPr")
    stated = properties.get("lvl", "0") if properties is not None else "0"
    return min(int(stated), 8) if stated.isascii() and stated.isdigit() else 0


def _cell(cell: Element) -> str:
    return " ".join(" ".join(_paragraphs(cell)).split())


def _chart(root: Element) -> Iterator[str]:
    """The title, and the numbers behind the drawing: a row for each category, a column for each series."""
    title = root.find(f".//{_C}chart/{_C}title")
    if title is not None and (text := " ".join(" ".join(_paragraphs(title)).split())):
        yield f"**{text}**"
    series = list(root.iter(f"{_C}ser"))
    names = [_first(_points(one.find(f"{_C}tx"))) for one in series]
    categories = _points(_either(series[0], "cat", "xVal")) if series else []
    values = [_points(_either(one, "val", "yVal")) for one in series]
    height = min(max(map(len, [categories, *values]), default=0), MOST_POINTS)
    if height:
        columns = [categories, *values]
        rows = [[column[at] if at < len(column) else "" for column in columns] for at in range(height)]
        yield table(["", *names], rows)


def _either(series: Element, *names: str) -> Element | None:
    return next((found for name in names if (found := series.find(f"{_C}{name}")) is not None), None)


def _points(element: Element | None) -> list[str]:
    return [(value.text or "").strip() for value in element.iter(f"{_C}v")] if element is not None else []


def _first(texts: Sequence[str]) -> str:
    return texts[0] if texts else ""
