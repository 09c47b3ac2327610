"""Code in a language model's answers: it comes through as it was written, and citations stand outside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from dragoman.inference.service import Limits

QUESTION = "How do I restart the gateway service, and which port does it use?"
GUIDE = """# Restarting

Restart the gateway service with the command `systemctl restart beacon-gateway`. The gateway service listens on port 8443.

# Logs

The logs of the gateway are read with `journalctl -u beacon-gateway`.
"""
Script = Callable[..., None]


@pytest.fixture
async def company(company: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A tenant that knows a guide with commands and whose chatbot answers by the scripted model."""
    monkeypatch.setattr(service.deps.inference, "_limits", Limits(backoff_s=0.001, next_token_timeout_s=0.3))
    await company.know(GUIDE, "gateway.md")
    settings = {"answerer": "scripted"}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    yield company
    service.deps.inference._llms.pop("scripted", None)
    service.deps.inference._breakers.clear()


LEAD, FACT = "Restart the gateway service like this:", "The gateway service listens on port 8443"
KNOWN = "```sh\n# it restarts the gateway service\nsystemctl restart beacon-gateway\n```"
UNKNOWN = """```sh
sudo systemctl restart beacon-gateway   # restarts it. Wait a moment!
ports=(8443 9000); echo "${ports[1]} ${ports[7]}"

systemctl status beacon-gateway | grep -q '<running>'
```"""


async def _set(company: Any, **settings: Any) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    changed = await company.api().patch(path, json={"settings": {"answerer": "scripted", **settings}})
    assert changed.status_code == 200, changed.text


async def _content(company: Any, script: Script, reply: str) -> str:
    script(replies=[reply])
    content: str = (await company.ask(QUESTION))["content"]
    return content


def _parts(answer: dict[str, Any]) -> list[tuple[str, bool, list[int]]]:
    """The checked sentences of an answer: their text, whether they are grounded, their sources."""
    content = answer["content"]
    return [
        (content[one["start"] : one["end"]], one["grounded"], one["sources"])
        for one in answer["grounding"]["sentences"]
    ]


@pytest.mark.parametrize("grounding", ["flag", "off"])
async def test_code_comes_through_as_it_was_written(company: Any, script: Script, grounding: str) -> None:
    await _set(company, grounding=grounding)
    reply = f"{LEAD}\n\n{UNKNOWN}\n\n{FACT} [1]."
    assert await _content(company, script, reply) == reply


async def test_the_marker_of_a_block_of_code_stands_below_it(company: Any, script: Script) -> None:
    script(replies=[f"{LEAD}\n\n{KNOWN}\n{FACT}."])
    answer = await company.ask(QUESTION)
    assert answer["content"] == f"{LEAD}\n\n{KNOWN}\n[1]\n\n{FACT} [1]."
    assert _parts(answer)[1:] == [(f"{KNOWN}\n[1]", True, [1]), (f"{FACT} [1].", True, [1])]
    assert [source["number"] for source in answer["sources"]] == [1]


async def test_the_marker_of_code_in_a_list_stands_in_its_item(company: Any, script: Script) -> None:
    block = "\n".join(f"   {line}" for line in KNOWN.split("\n"))
    content = await _content(company, script, f"1. {LEAD}\n{block}\n2. {FACT} [1].")
    assert content == f"1. {LEAD}\n{block}\n   [1]\n\n2. {FACT} [1]."


@pytest.mark.parametrize("grounding", ["flag", "off"])
@pytest.mark.parametrize("behind", [" [1]", "[1]", " [1]."])
async def test_a_marker_on_the_closing_fence_comes_to_stand_below_it(
    company: Any, script: Script, grounding: str, behind: str
) -> None:
    await _set(company, grounding=grounding)
    content = await _content(company, script, f"{LEAD}\n{KNOWN}{behind}\n\n{FACT} [1].")
    assert content == f"{LEAD}\n{KNOWN}\n[1]\n\n{FACT} [1]."


async def test_behind_a_fence_with_a_marker_the_answer_is_made_safe(company: Any, script: Script) -> None:
    content = await _content(company, script, f"{KNOWN} [1]\n\n<script>alert(1)</script> {FACT} [1].")
    assert "<script>" not in content


async def test_a_wrong_marker_below_code_is_corrected(company: Any, script: Script) -> None:
    await company.know("# Parking\n\nVisitors park their cars behind the red building near the river.\n", "parking.md")
    script(replies=[f"{KNOWN}\n[2]\n\n{FACT} [1]."])
    answer = await company.ask(QUESTION)
    assert answer["content"] == f"{KNOWN}\n[1]\n\n{FACT} [1]."


@pytest.mark.parametrize("grounding", ["flag", "off"])
async def test_a_block_that_is_never_closed_is_closed(company: Any, script: Script, grounding: str) -> None:
    await _set(company, grounding=grounding)
    assert await _content(company, script, f"{LEAD}\n{UNKNOWN[:-4]}") == f"{LEAD}\n{UNKNOWN}"


async def test_a_block_in_which_the_model_fails_is_closed_before_the_sources_are_quoted(
    company: Any, script: Script
) -> None:
    script(replies=[f"{LEAD}\n{UNKNOWN}"], fail_with="unavailable", fail_after_tokens=10)
    answer = await company.ask(QUESTION)
    code, _, quoted = answer["content"].partition("\n```\n\n")
    assert code.startswith(f"{LEAD}\n```sh\nsudo ")
    assert quoted
    assert "```" not in quoted


async def test_no_marker_stands_within_code_in_a_line(company: Any, script: Script) -> None:
    said = "Restart the gateway service with the command `systemctl. Restart beacon-gateway`"
    assert await _content(company, script, f"{said}.") == f"{said} [1]."
    await _set(company, grounding="off", cache_answers=False)
    said = "Restart it with `ports[1]. Then ports[7]`"
    assert await _content(company, script, f"{said} [9].") == f"{said} ."


async def test_with_remove_a_block_without_support_is_never_sent_and_one_with_it_stays_whole(
    company: Any, script: Script
) -> None:
    await _set(company, grounding="remove")
    script(replies=[f"{LEAD}\n{UNKNOWN}\n\n{FACT} [1].\n\n{KNOWN}\n"])
    answer = await company.ask(QUESTION)
    lines = [line for line in answer["content"].split("\n") if line]
    assert lines == [LEAD, f"{FACT} [1].", *KNOWN.split("\n"), "[1]"]
    assert answer["degraded"] == ["sentences_removed:1"]
