"""What was entered into the fields of a PDF form: it stands beside the text of the page, not in it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

MOST_FIELDS: Final = 500  # of a page
LONGEST_VALUE: Final = 20_000  # characters


def field_lines(pdf: Any, page: Any) -> list[str]:
    """`- name: value` for each filled field of a page; empty for a document without a form that pdfium knows."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    form = pdf.formenv.raw if pdf.formenv else None
    lines: dict[str, None] = {}
    for at in range(min(pdfium.FPDFPage_GetAnnotCount(page.raw), MOST_FIELDS) if form else 0):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, at)
        try:
            if pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_WIDGET:
                lines |= dict.fromkeys(_entry(form, annotation))
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return list(lines)


def _entry(form: Any, annotation: Any) -> list[str]:
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    label = _string(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
    name = label or _string(pdfium.FPDFAnnot_GetFormFieldName, form, annotation)
    if kind in {pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON}:
        return [f"- {name}: yes"] if name and pdfium.FPDFAnnot_IsChecked(form, annotation) else []
    if kind not in {pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX}:
        return []
    value = _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    return [f"- {name}: {value}" if name else f"- {value}"] if value else []


def _string(get: Callable[..., int], form: Any, annotation: Any) -> str:
    """A UTF-16 string of pdfium, on one line."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    size = min(get(form, annotation, None, 0), 2 * LONGEST_VALUE)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    get(form, annotation, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return " ".join(buffer.raw[:size].decode("utf-16-le", errors="replace").replace("\0", "").split())
