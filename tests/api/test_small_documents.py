"""Many small new documents are read, cut, embedded and written together, and none suffers for another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docx import Document as DocxDocument
from docx.shared import Inches
from PIL import Image

from dragoman.entrypoints.wiring import job_kinds
from dragoman.jobs import service as jobs
from dragoman.ports.embedder import EmbedderUnavailableError

DOCUMENTS = "/api/chatbot/documents/"


async def _upload(company: Any, files: dict[str, bytes]) -> dict[str, str]:
    """The ids of the documents by the names of their files."""
    answer = await company.api().post(f"{DOCUMENTS}batch/", files=[("files", file) for file in files.items()])
    assert answer.status_code == 202, answer.text
    items = answer.json()["documents"]
    assert all(item["accepted"] for item in items), items
    return {item["file_name"]: item["id"] for item in items}


async def _work(service: Any) -> list[int]:
    """Run what waits as a worker does, batch by batch; how many jobs each attempt took."""
    taken = []
    while count := await jobs.execute_next(service.deps.database, job_kinds(service.deps)):
        taken.append(count)
    return taken


async def _get(company: Any, document_id: str, what: str = "") -> dict[str, Any]:
    found: dict[str, Any] = (await company.api().get(f"{DOCUMENTS}{document_id}/{what}")).json()
    return found


async def _text(company: Any, document_id: str) -> str:
    return "\n\n".join(chunk["text"] for chunk in (await _get(company, document_id, "chunks/"))["chunks"])


def _illustrated(folder: Path) -> bytes:
    """A DOCX with a picture."""
    Image.effect_noise((240, 180), 80).convert("RGB").save(folder / "wiring.png")
    file = DocxDocument()
    file.add_paragraph("The red cable goes into the left socket of the lamp.")
    file.add_picture(str(folder / "wiring.png"), width=Inches(3))
    file.save(str(folder / "wiring.docx"))
    return (folder / "wiring.docx").read_bytes()


async def _set(company: Any, **settings: Any) -> None:
    changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    assert changed.status_code == 200, changed.text


async def test_each_of_many_small_documents_is_read_as_it_is_alone(company: Any, service: Any, tmp_path: Path) -> None:
    files = {f"{number}.md": f"# Lamp {number}\n\nLamp {number} costs {number} euros.".encode() for number in range(20)}
    files["wiring.docx"] = _illustrated(tmp_path)
    files["faq.csv"] = b"question,answer\nWho sells lamps?,Our shop in Oslo sells lamps.\n"
    files["nothing.html"] = b"<html><body><p hidden>Unseen.</p></body></html>"
    files["broken.json"] = b'{"lamp": '
    ids = await _upload(company, files)
    assert max(await _work(service)) == len(files)
    found = {name: await _get(company, document_id) for name, document_id in ids.items()}
    states = {name: document["state"] for name, document in found.items()}
    assert states == dict.fromkeys(files, "ready") | {"nothing.html": "failed", "broken.json": "failed"}
    reasons = [(await _get(company, ids[name], "status/"))["error_code"] for name in ("nothing.html", "broken.json")]
    assert reasons == ["ingestion.no_text", "extractor.unreadable"]
    assert found["7.md"]["title"] == "Lamp 7"
    assert "Our shop in Oslo" in await _text(company, ids["faq.csv"])
    assert await _text(company, ids["13.md"]) == "# Lamp 13\n\nLamp 13 costs 13 euros."
    [chunk] = (await _get(company, ids["wiring.docx"], "chunks/"))["chunks"]
    assert len(chunk["images"]) == 1


async def test_personal_data_is_masked_in_many_documents_at_once(company: Any, service: Any) -> None:
    await _set(company, pii="mask")
    files = {f"{number}.md": f"# Lamp {number}\n\nWrite to anna{number}@lamps.example.".encode() for number in range(4)}
    ids = await _upload(company, files)
    assert max(await _work(service)) == 4
    texts = [await _text(company, document_id) for document_id in ids.values()]
    assert all("Write to" in text and "@lamps.example" not in text for text in texts), texts


async def test_what_a_slow_model_has_embedded_is_kept_when_it_goes_away(
    company: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.ingestion.ingest._EMBED_BATCH", 2)
    monkeypatch.setattr("dragoman.ingestion.ingest._QUICK_SHARE_MS", 0.0)  # no share of a slow model is quick
    monkeypatch.setattr("dragoman.ingestion.ingest._COMMIT_EVERY_S", 0.0)
    inference = service.deps.inference
    real, embedded = inference.embed_passages, list[str]()

    async def embed_until_it_is_gone(context: Any, version: str, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        if len(embedded) >= 4:
            raise EmbedderUnavailableError
        embedded.extend(texts)
        vectors: np.ndarray[Any, Any] = await real(context, version, texts)
        return vectors

    monkeypatch.setattr(inference, "embed_passages", embed_until_it_is_gone)
    await _set(company, sentence_vectors=False)
    ids = await _upload(company, {f"{number}.md": f"Lamp {number} is bright.".encode() for number in range(7)})
    await jobs.execute_next(service.deps.database, job_kinds(service.deps))
    states = [(await _get(company, document_id))["state"] for document_id in ids.values()]
    assert sorted(states) == ["processing"] * 3 + ["ready"] * 4
    assert len(set(embedded)) == 4
