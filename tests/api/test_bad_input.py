"""Bad input gets a clear problem document (RFC 9457) with the right status, and the service keeps answering."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from dragoman.entrypoints.settings import Settings

ABSENT = "019a0000-0000-7000-8000-000000000000"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x00" * 64
ELF = b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 8


def expect_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"].endswith(code)
    assert problem["title"]
    assert len(problem["detail"]) > 10
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return problem


@pytest.fixture(autouse=True)
async def _still_alive(service: Any) -> AsyncIterator[None]:
    yield
    assert (await service.client().get("/healthz")).status_code == 200
    assert (await service.client().get("/readyz")).status_code == 200


def _pdf(words: str = "", *, password: str | None = None, picture: bool = False) -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    if words:
        pdf.cell(text=words)
    if picture:
        pdf.rect(20, 20, 100, 100, style="F")
    if password:
        pdf.set_encryption(owner_password="owner", user_password=password)
    return bytes(pdf.output())


def _docx() -> bytes:
    import docx

    document = docx.Document()
    document.add_paragraph("Gold partners receive a discount.")
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def _zip_bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_docx())) as good, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bomb:
        for member in good.infolist():
            bomb.writestr(member.filename, good.read(member))
        with bomb.open("word/media/image.bin", "w") as huge:
            for _ in range(300):
                huge.write(b"\0" * 1024 * 1024)
    return target.getvalue()


def _plain_zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.txt", "text")
    return target.getvalue()


# ---- uploads that are refused at the door

REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "an empty file": ("empty.txt", b"", 422, "ingestion.empty"),
    "nothing but white space": ("blank.txt", b" \n\t \n", 422, "ingestion.empty"),
    "26 MiB": (
        "large.txt",
        lambda: b"All work and no play. " * (26 * 1024 * 1024 // 22 + 1),
        413,
        "ingestion.too_large",
    ),
    "a picture named .pdf": ("scan.pdf", PNG, 415, "ingestion.mismatched_type"),
    "a program": ("tool", ELF, 415, "ingestion.unsupported_type"),
    "a program named .txt": ("tool.txt", ELF, 415, "ingestion.mismatched_type"),
    "a program named .docx": ("tool.docx", ELF, 415, "ingestion.mismatched_type"),
    "an encrypted PDF": ("secret.pdf", lambda: _pdf("Secret.", password="user"), 422, "extractor.encrypted"),
    "a truncated DOCX": ("cut.docx", lambda: _docx()[:-700], 422, "ingestion.damaged"),
    "a zip bomb": ("bomb.docx", _zip_bomb, 422, "ingestion.decompression_bomb"),
    "an archive": ("files.zip", _plain_zip, 415, "ingestion.unsupported_type"),
    "text named .json": ("data.json", b"* not JSON at all", 415, "ingestion.mismatched_type"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_an_unusable_file_is_refused_with_its_reason(company: Any, service: Any, what: str) -> None:
    name, content, status, code = REFUSED[what]
    response = await company.upload(content() if callable(content) else content, name)
    expect_problem(response, status, code)
    assert (await company.api().get("/api/chatbot/documents/")).json()["total"] == 0
    assert list(service.deps.upload_directory.iterdir()) == []
    assert not list((service.settings.home / "blobs").rglob(f"{company.tenant_id}/*/*"))


async def test_a_picture_that_was_cut_off_is_refused(company: Any) -> None:
    response = await company.upload(PNG, "photo.png")
    problem = expect_problem(response, 422, "ingestion.damaged")
    assert "picture is damaged" in problem["detail"]


async def test_a_scan_without_text_fails_with_no_text_found_on_its_status(company: Any, service: Any) -> None:
    uploaded = await company.upload(_pdf(picture=True), "scan.pdf")
    assert uploaded.status_code == 202
    await service.run_jobs()
    status = (await company.api().get(f"/api/chatbot/documents/{uploaded.json()['id']}/status/")).json()
    assert (status["state"], status["processed"], status["error_code"]) == ("failed", False, "ingestion.no_text")
    assert "No text was found" in status["error"]
    assert status["attempts"] == 1  # another try would find no text either


async def test_a_file_that_failed_can_be_uploaded_again(company: Any, service: Any) -> None:
    await company.upload(_pdf(picture=True), "scan.pdf")
    await service.run_jobs()
    again = await company.upload(_pdf(picture=True), "scan.pdf")
    assert (again.status_code, again.json()["is_duplicate"]) == (202, False)


async def test_a_poisoned_document_fails_alone(company: Any, service: Any) -> None:
    damaged = _pdf("Gold partners receive a discount of 17 percent.")
    poisoned = await company.upload(damaged[: len(damaged) // 2], "cut.pdf")
    good = await company.upload("Gold partners receive a discount of 17 percent.", "good.txt")
    await service.run_jobs()
    assert (await company.api().get(f"/api/chatbot/documents/{good.json()['id']}/")).json()["state"] == "ready"
    if poisoned.status_code == 202:
        shown = (await company.api().get(f"/api/chatbot/documents/{poisoned.json()['id']}/status/")).json()
        assert (shown["state"], shown["processed"]) == ("failed", False)
        assert shown["error"]
    else:
        expect_problem(poisoned, 422, "ingestion.damaged")


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1252", "Die Rückgabe ist größtenteils kostenlos – für alle Händler in Österreich und der Schweiz."),
        ("utf-16", "Die Rückgabe ist größtenteils kostenlos – für alle Händler in Österreich und der Schweiz."),
        ("utf-8-sig", "Возврат товара бесплатный для всех партнёров компании в течение сорока двух дней."),
        ("cp1251", "Возврат товара бесплатный для всех партнёров компании в течение сорока двух дней."),
    ],
)
async def test_text_in_another_encoding_is_decoded(company: Any, encoding: str, words: str) -> None:
    await company.know((words + "\n").encode(encoding), "note.txt")
    [hit] = (await company.search(words))["results"]
    assert hit["content"].strip() == words


async def test_an_upload_without_a_file_or_with_wrong_fields_is_422(company: Any) -> None:
    api = company.api()
    expect_problem(await api.post("/api/chatbot/documents/", data={"title": "x"}), 422, "invalid_request")
    for form in ({"metadata": "[1]"}, {"metadata": "{"}, {"visibility": "secret"}, {"content_type": "poem"}):
        expect_problem(await company.upload(**form), 422, "invalid_request")
    expect_problem(await company.upload(title="x" * 501), 422, "invalid_request")


async def test_a_body_beyond_all_bounds_is_413(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.entrypoints.request_bounds._MAX_UPLOAD_BYTES", 1000)
    expect_problem(await company.upload("x" * 2000, "long.txt"), 413, "too_large")
    beyond = "x" * int(Settings().max_json_mib * 2**20)
    expect_problem(await company.api().post("/api/search", json={"query": beyond}), 413, "too_large")


# ---- addresses and ids


async def test_unknown_ids_are_404_and_malformed_ones_422(company: Any) -> None:
    api = company.api()
    for path, code in (
        ("/api/chatbot/documents/{}/", "knowledge.document_not_found"),
        ("/api/chatbot/documents/{}/status/", "knowledge.document_not_found"),
        ("/api/chatbot/sessions/{}/", "chat.session_not_found"),
        ("/api/chatbot/sessions/{}/messages/", "chat.session_not_found"),
        ("/api/chatbots/{}/", "tenancy.chatbot_not_found"),
    ):
        expect_problem(await api.get(path.format(ABSENT)), 404, code)
        expect_problem(await api.get(path.format("not-a-uuid")), 422, "invalid_request")
    expect_problem(await api.delete(f"/api/keys/{ABSENT}/"), 404, "tenancy.key_not_found")


async def test_an_unknown_path_is_404_and_a_wrong_method_405(company: Any) -> None:
    expect_problem(await company.api().get("/api/nothing/here"), 404, "not_found")
    refused = await company.api().put("/api/chatbots/")
    expect_problem(refused, 405, "method_not_allowed")


async def test_bad_json_is_400(company: Any) -> None:
    for content, status, code in (
        (b"{", 400, "invalid_json"),
        (b"{'query': 'x'}", 400, "invalid_json"),
        (b'{"query": "x"', 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"", 422, "invalid_request"),
        (b'{"query": "\\ud800"}', 422, "invalid_request"),
    ):
        headers = {"Content-Type": "application/json"}
        expect_problem(await company.api().post("/api/search", content=content, headers=headers), status, code)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": "x" * 8001},
        {"query": "x", "max_results": 0},
        {"query": "x", "max_results": 101},
        {"query": "x", "similarity_threshold": 1.5},
        {"query": "x", "mode": "psychic"},
        {"query": "x", "chatbot_id": "7"},
        {"query": "x", "unknown_field": 1},
        {"query": ["x"]},
        [],
    ],
)
async def test_a_search_that_does_not_fit_is_422_and_says_where(company: Any, body: Any) -> None:
    problem = expect_problem(await company.api().post("/api/search", json=body), 422, "invalid_request")
    assert problem["errors"][0]["where"].startswith("body")


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": "ten"}, {"offset": 10**30}]
)
async def test_a_page_that_does_not_exist_is_422(company: Any, params: dict[str, Any]) -> None:
    for path in ("/api/chatbot/documents/", "/api/chatbot/sessions/", "/api/chatbots/", "/api/keys/"):
        expect_problem(await company.api().get(path, params=params), 422, "invalid_request")


async def test_a_nul_character_is_refused_wherever_text_is_taken(company: Any) -> None:
    """PostgreSQL keeps no NUL in text."""
    api = company.api()
    session_id = await company.open_session()
    responses = [
        await api.post("/api/search", json={"query": "a\0b"}),
        await api.post("/api/search", json={"query": "ab", "categories": ["a\0b"]}),
        await api.post("/api/chatbot/sessions/", json={"title": "a\0b"}),
        await api.post("/api/chatbot/sessions/", json={"settings": {"a": "a\0b"}}),
        await api.post(f"/api/chatbot/sessions/{session_id}/messages/", json={"message": "a\0b"}),
        await api.post("/api/chatbots/", json={"name": "a\0b"}),
        await api.patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"prompt": "a\0b"}}),
        await api.post("/api/keys/", json={"name": "a\0b"}),
        await api.get("/api/chatbot/documents/", params={"title": "a\0b"}),
        await company.upload(title="a\0b"),
        await company.upload(metadata='{"a": "\\u0000"}'),
    ]
    for response in responses:
        expect_problem(response, 422, "invalid_request")


@pytest.mark.parametrize(
    "question",
    [
        "   ",
        "?",
        "!!!",
        "\u200b",
        "🙂🙂🙂",
        "a" * 8000,
        "' or 1=1; drop table chunks; --",
        "{}{{0}}%s",
        "<script>",
        "ok\ud7ff",
    ],
)
async def test_a_strange_question_is_answered(company: Any, question: str) -> None:
    await company.know()
    answer = await company.ask(question)
    assert answer["content"]
    await company.search(question)


async def test_strange_languages_do_not_break_a_search_or_an_answer(company: Any) -> None:
    await company.know()
    for language in ("xx", "zz-ZZ", "en'--", "ქა", "und"):
        assert (await company.search("gold partners discount", language=language))["results"]
        assert (await company.ask("gold partners discount?", language=language))["content"]


async def test_wrong_settings_of_a_chatbot_are_refused_and_named(company: Any) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    for settings in ({"max_quotes": 0}, {"unknown": 1}, {"chunk_tokens": "many"}):
        refused = await company.api().patch(path, json={"settings": settings})
        problem = expect_problem(refused, 422, "tenancy.invalid_chatbot_setting")
        assert next(iter(settings)) in problem["detail"]


async def test_an_error_nobody_foresaw_is_a_problem_without_a_stack_trace(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("the secret is hazelnut")

    monkeypatch.setattr("dragoman.search.service.search", fail)
    response = await company.api().post("/api/search", json={"query": "x"})
    expect_problem(response, 500, "internal")
    assert "hazelnut" not in response.text


@pytest.mark.parametrize("parameter", ["filter", "q", "user_id"])
async def test_a_nul_character_in_the_address_of_a_search_is_refused(company: Any, parameter: str) -> None:
    path = f"/api/search/hybrid/{company.chatbot_id}"
    refused = await company.api().get(path, params={"q": "lamp", parameter: "a\x00b"})
    problem = expect_problem(refused, 422, "invalid_request")
    assert "NUL" in problem["detail"]
