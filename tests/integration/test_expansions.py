"""Names are learned from live shared documents only, once each, and forgotten with the text that told them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from dragoman.adapters.llm import scripted
from dragoman.deps import Deps
from dragoman.inference.service import Inference, Limits
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs.entities import Job
from dragoman.kit.database import Database
from dragoman.metering.prices import PriceList
from dragoman.tenancy.entities import Chatbot
from dragoman.understanding import expansion
from dragoman.understanding.expansion import LEARN_EXPANSIONS, learn_expansions, request_learning
from dragoman.understanding.history import Said
from dragoman.understanding.service import prepare_question

MDF = "You claim market development funds (MDF) in the portal."
QUESTION = "How do I claim MDF?"


class Sender:
    """Counts the messages to workers."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, *, priority: int) -> None:
        self.sent += 1


async def _no_progress(step: str, fraction: float) -> None:
    pass


@pytest.fixture
def chatbot_of(database: Database) -> Callable[..., Chatbot]:
    def make(tenant: Any, revision: int = 1, **settings: Any) -> Chatbot:
        moment = datetime.now(UTC)
        return Chatbot(
            id=tenant.chatbot_id,
            tenant_id=tenant.tenant_id,
            name="Test",
            description="",
            settings=settings,
            active_embedding_version=tenant.embedding_version,
            knowledge_revision=revision,
            created_at=moment,
            updated_at=moment,
            is_default=True,
        )

    return make


@pytest.fixture
def deps(database: Database) -> Deps:
    llm = scripted.Adapter(scripted.Settings(replies=["How do partners claim market development funds?"]))
    usage = SimpleNamespace(add=lambda record: None)
    inference = Inference(
        embedders={},
        llms={"scripted": lambda: llm},
        prices=PriceList(()),
        usage=usage,  # type: ignore[arg-type]
        limits=Limits(attempts=1),
    )
    parts = SimpleNamespace(database=database, sender=Sender(), inference=inference, default_answerer="extractive")
    return cast("Deps", parts)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions wait for names however slow the machine is."""
    monkeypatch.setattr(expansion.tables, "wait_s", 30.0)


Learn = Callable[[Any], Awaitable[bool]]


@pytest.fixture
def learn(database: Database) -> Learn:
    """Requests the learning and runs its job as a worker would; whether there was one."""

    async def run(tenant: Any) -> bool:
        async with database.transaction(tenant.tenant_id) as connection:
            jobs = await request_learning(connection, tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id)
        for job in jobs:
            await learn_expansions(database, job, _no_progress)
            await _finish(database, job)
        return bool(jobs)

    return run


async def _finish(database: Database, job: Job) -> None:
    async with database.transaction(job.tenant_id) as connection:
        await connection.execute(
            text("update jobs set state = 'succeeded' where tenant_id = :t and id = :j"),
            {"t": job.tenant_id, "j": job.id},
        )


async def _finds(database: Database, tenant: Any) -> int:
    async with database.transaction(tenant.tenant_id) as connection:
        count: int = (await connection.execute(text("select count(*) from expansion_finds"))).scalar_one()
    return count


async def _names(deps: Deps, chatbot: Chatbot, question: str = QUESTION) -> tuple[str, ...]:
    return (await expansion.expand(deps, chatbot, question, "en")).synonyms.get("MDF", ())


async def test_a_name_is_learned_and_used(
    deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    await make_document(tenant, ["Nothing to learn.", MDF])
    assert await learn(tenant)
    assert await _names(deps, chatbot_of(tenant)) == ("market development funds",)


async def test_learning_twice_finds_nothing_left_to_do(
    database: Database, tenant: Any, make_document: Any, learn: Learn
) -> None:
    await make_document(tenant, [MDF])
    assert await learn(tenant)
    assert not await learn(tenant)
    assert await _finds(database, tenant) == 1
    await make_document(tenant, ["Ask a Cloud Solution Provider (CSP)."])
    assert await learn(tenant)
    assert await _finds(database, tenant) == 2


async def test_every_page_of_long_and_many_documents_is_read(
    database: Database, tenant: Any, make_document: Any, learn: Learn
) -> None:
    await make_document(tenant, ["Nothing."] * 2100 + [MDF])
    for number in range(60):
        await make_document(tenant, [f"Ask the Department of Affairs {number} (DA{number})." if number == 59 else MDF])
    assert await learn(tenant)
    assert await _finds(database, tenant) == 60 + 1
    assert not await learn(tenant)


async def test_one_job_waits_however_often_it_is_requested(database: Database, tenant: Any, make_document: Any) -> None:
    await make_document(tenant, [MDF])
    ids = {"tenant_id": tenant.tenant_id, "chatbot_id": tenant.chatbot_id}
    async with database.transaction(tenant.tenant_id) as connection:
        requested = [await request_learning(connection, **ids) for _ in range(3)]
    assert [[job.kind for job in jobs] for jobs in requested] == [[LEARN_EXPANSIONS], [], []]


async def test_nothing_is_learned_from_private_documents_or_from_versions_that_are_not_live(
    database: Database, deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    await make_document(tenant, [MDF], visibility="private")
    await make_document(tenant, [MDF], live=False)
    assert not await learn(tenant)
    assert await _finds(database, tenant) == 0
    assert await _names(deps, chatbot_of(tenant)) == ()


async def test_a_name_that_only_a_deleted_document_told_is_gone_from_the_next_question(
    deps: Deps, tenant: Any, make_document: Any, delete_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    document = await make_document(tenant, [MDF])
    await learn(tenant)
    assert await _names(deps, chatbot_of(tenant, revision=1))
    await delete_document(tenant, document)
    assert await _names(deps, chatbot_of(tenant, revision=2)) == ()


async def test_a_name_that_a_document_made_private_told_is_gone_from_the_next_question(
    database: Database, deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    document = await make_document(tenant, [MDF])
    await learn(tenant)
    async with database.transaction(tenant.tenant_id) as connection:
        await connection.execute(
            text("update documents set visibility = 'private' where id = :d"), {"d": document.document_id}
        )
    assert await _names(deps, chatbot_of(tenant, revision=2)) == ()


async def test_finds_leave_the_database_with_their_chunks(
    database: Database, tenant: Any, make_document: Any, learn: Learn
) -> None:
    document = await make_document(tenant, [MDF])
    await learn(tenant)
    async with database.transaction(tenant.tenant_id) as connection:
        await connection.execute(text("delete from chunks where version_id = :v"), {"v": document.version_id})
    assert await _finds(database, tenant) == 0


async def test_a_replaced_document_tells_what_its_new_version_tells(
    deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    document = await make_document(tenant, [MDF])
    await learn(tenant)
    await make_document(tenant, ["You claim marketing draft fees (MDF)."], document_id=document.document_id)
    assert await _names(deps, chatbot_of(tenant, revision=2)) == ()  # not read yet, and the old text is no longer live
    assert await learn(tenant) is False  # the question before asked for it
    async with deps.database.transaction(tenant.tenant_id) as connection:
        waiting = await jobs_repository.is_queued(
            connection, tenant_id=tenant.tenant_id, kind=LEARN_EXPANSIONS, subject_id=tenant.chatbot_id
        )
    assert waiting


async def test_chatbots_do_not_learn_from_each_other(
    deps: Deps, tenant: Any, make_chatbot: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    second = await make_chatbot(tenant)
    await make_document(tenant, [MDF])
    await learn(tenant)
    assert await _names(deps, chatbot_of(tenant))
    assert await _names(deps, chatbot_of(second)) == ()


async def test_a_question_asks_for_the_learning_that_nobody_requested(
    deps: Deps, tenant: Any, make_document: Any, chatbot_of: Any
) -> None:
    await make_document(tenant, [MDF])
    assert await _names(deps, chatbot_of(tenant)) == ()
    assert cast("Sender", deps.sender).sent == 1
    await _names(deps, chatbot_of(tenant, revision=2))
    assert cast("Sender", deps.sender).sent == 1


async def test_names_are_read_once_for_a_revision(
    database: Database, deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    await make_document(tenant, [MDF])
    await learn(tenant)
    first = await expansion.tables.get(database, deps.sender, chatbot_of(tenant))
    assert await expansion.tables.get(database, deps.sender, chatbot_of(tenant)) is first
    assert await expansion.tables.get(database, deps.sender, chatbot_of(tenant, revision=2)) is not first


async def test_a_question_does_not_wait_long_for_names(
    deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_document(tenant, [MDF])
    await learn(tenant)
    monkeypatch.setattr(expansion.tables, "wait_s", 0.0)
    assert await _names(deps, chatbot_of(tenant)) == ()
    monkeypatch.setattr(expansion.tables, "wait_s", 30.0)
    assert await _names(deps, chatbot_of(tenant)) == ("market development funds",)


async def test_names_are_read_once_for_many_questions_at_once(
    deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    await make_document(tenant, [MDF])
    await learn(tenant)
    tables = await asyncio.gather(
        *(expansion.tables.get(deps.database, deps.sender, chatbot_of(tenant)) for _ in range(20))
    )
    assert len({id(table) for table in tables}) == 1


# --- the question ----------------------------------------------------------------------------------------------------

HISTORY = [Said(role="user", text="How do I claim MDF?")]


async def test_a_prepared_question_keeps_its_share_beside_its_other_forms(
    deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any
) -> None:
    await make_document(tenant, [MDF])
    await learn(tenant)
    chatbot = chatbot_of(tenant, answerer="scripted", multi_query=2)
    prepared = await prepare_question(deps, chatbot, "And MDF for them?", "en", history=HISTORY, purpose="search")
    assert prepared.text == "And MDF for them?"
    assert prepared.rewritten.method == "model"
    assert [further.text for further in prepared.also_ask] == [
        "How do partners claim market development funds?",
        "And market development funds for them?",
    ]
    assert 0 < sum(further.weight for further in prepared.also_ask) <= 0.66
    assert prepared.synonyms == {"MDF": ("market development funds",)}
    assert prepared.degraded == ("multi_query_failed:unusable",)  # the model repeats the rewritten question


async def test_without_a_model_history_and_names_prepare_a_question(deps: Deps, tenant: Any, chatbot_of: Any) -> None:
    prepared = await prepare_question(
        deps, chatbot_of(tenant), "And for partners?", "en", history=HISTORY, purpose="search"
    )
    assert prepared.rewritten.method == "history"
    assert [further.text for further in prepared.also_ask] == ["And for partners? MDF claim"]


@pytest.mark.parametrize("settings", [{"rewrite": "off", "expand_queries": False}])
async def test_what_a_chatbot_switches_off_is_not_done(
    deps: Deps, tenant: Any, make_document: Any, learn: Learn, chatbot_of: Any, settings: dict[str, Any]
) -> None:
    await make_document(tenant, [MDF])
    await learn(tenant)
    chatbot = chatbot_of(tenant, answerer="scripted", **settings)
    prepared = await prepare_question(deps, chatbot, "And MDF for them?", "en", history=HISTORY, purpose="search")
    assert (prepared.also_ask, prepared.synonyms, prepared.degraded) == ((), {}, ())


async def test_a_chatbot_may_keep_its_model_out_of_rewriting(deps: Deps, tenant: Any, chatbot_of: Any) -> None:
    chatbot = chatbot_of(tenant, answerer="scripted", rewrite="history")
    prepared = await prepare_question(deps, chatbot, "And for them?", "en", history=HISTORY, purpose="search")
    assert prepared.rewritten.method == "history"
