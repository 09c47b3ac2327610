"""What `ports/keyword_index.py` promises, on every adapter."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from dragoman.kit import registry
from dragoman.kit.database import Database
from dragoman.kit.text.terms import analyse
from dragoman.ports.keyword_index import KeywordChunk, KeywordFound, KeywordHit, KeywordIndex
from dragoman.ports.search_scope import Condition, SearchScope
from tests.contract.conftest import open_adapter


@pytest.fixture(scope="module", params=registry.list_adapters("keyword_index"))
async def index(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[KeywordIndex]:
    async with open_adapter("keyword_index", request.param, tmp_path_factory.mktemp("index")) as adapter:
        yield adapter


def scope_of(tenant: Any, **narrowed: Any) -> SearchScope:
    return SearchScope(tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id, **narrowed)


class Shelf:
    """Documents that are indexed by their words."""

    def __init__(
        self, database: Database, index: KeywordIndex, tenant: Any, make_document: Any, delete_document: Any
    ) -> None:
        self.database, self.index, self.tenant = database, index, tenant
        self._make, self._delete = make_document, delete_document
        self.texts: dict[UUID, str] = {}

    async def put(self, *texts: str, language: str = "en", languages: Sequence[str] = (), **columns: Any) -> Any:
        spoken = list(languages) or [language] * len(texts)
        # PostgreSQL text holds no NUL; extraction removes it before a chunk is stored
        document = await self._make(
            self.tenant, [text.replace("\0", "") for text in texts], languages=spoken, **columns
        )
        await self.store(document, texts, spoken)
        return document

    async def store(self, document: Any, texts: Sequence[str], languages: Sequence[str]) -> None:
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await self.index.add(
                connection,
                tenant_id=self.tenant.tenant_id,
                chatbot_id=self.tenant.chatbot_id,
                versions={
                    document.version_id: [
                        KeywordChunk(chunk_id=chunk_id, ordinal=ordinal, text=text, language=language)
                        for ordinal, (chunk_id, text, language) in enumerate(
                            zip(document.chunk_ids, texts, languages, strict=True)
                        )
                    ]
                },
            )
            await self.change(connection)
        self.texts |= dict(zip(document.chunk_ids, texts, strict=True))

    async def change(self, connection: AsyncConnection) -> None:
        """What whoever changes knowledge does beside: searches may keep what they saw at one revision."""
        await connection.exec_driver_sql(
            "update chatbots set knowledge_revision = knowledge_revision + 1 where id = %(id)s",
            {"id": self.tenant.chatbot_id},
        )

    async def remove(self, document: Any) -> None:
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await self.index.remove_version(connection, tenant_id=self.tenant.tenant_id, version_id=document.version_id)
            await self.change(connection)

    async def delete(self, document: Any) -> None:
        await self._delete(self.tenant, document)
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await self.change(connection)

    async def ask(
        self,
        query: str,
        *,
        limit: int = 10,
        languages: Sequence[str] = ("en",),
        scope: SearchScope | None = None,
        as_tenant: UUID | None = None,
        **options: Any,
    ) -> KeywordFound:
        async with self.database.transaction(as_tenant or self.tenant.tenant_id) as connection:
            return await self.index.search(
                connection,
                scope=scope or scope_of(self.tenant),
                query=query,
                languages=languages,
                limit=limit,
                **options,
            )

    async def search(self, query: str, **options: Any) -> list[KeywordHit]:
        return list((await self.ask(query, **options)).hits)

    async def found(self, query: str, **options: Any) -> set[UUID]:
        return {hit.chunk_id for hit in await self.search(query, **options)}


@pytest.fixture
def shelf(database: Database, index: KeywordIndex, tenant: Any, make_document: Any, delete_document: Any) -> Shelf:
    return Shelf(database, index, tenant, make_document, delete_document)


def bm25(texts: dict[UUID, str], words: Sequence[str], *, k1: float = 1.2, b: float = 0.75) -> dict[UUID, float]:
    """Robertson and Zaragoza 2009, straight from the formula."""
    terms = {key: analyse(text, "en") for key, text in texts.items()}
    average = sum(map(len, terms.values())) / len(terms)
    scores: dict[UUID, float] = {}
    for word in words:
        holders = {key: own.count(word) for key, own in terms.items() if word in own}
        idf = math.log(1 + (len(terms) - len(holders) + 0.5) / (len(holders) + 0.5))
        for key, frequency in holders.items():
            norm = k1 * (1 - b + b * len(terms[key]) / average)
            scores[key] = scores.get(key, 0.0) + idf * frequency * (k1 + 1) / (frequency + norm)
    return scores


async def test_scores_are_bm25(shelf: Shelf) -> None:
    await shelf.put("router router switch", "router antenna", "switch cable cable cable antenna mast")
    await shelf.put("mast", "router cable")
    hits = await shelf.search("router cable")
    expected = bm25(shelf.texts, ["router", "cabl"])
    assert {hit.chunk_id: hit.score for hit in hits} == pytest.approx(expected, rel=1e-5)
    assert [hit.chunk_id for hit in hits] == sorted(expected, key=lambda chunk_id: -expected[chunk_id])


async def test_matched_weight_is_the_share_of_the_questions_rare_words(shelf: Shelf) -> None:
    document = await shelf.put("router antenna", "router", "mast")
    hits = {hit.chunk_id: hit for hit in await shelf.search("router antenna unicorn")}
    both, one, _ = document.chunk_ids
    weight = {word: math.log(1 + (3 - df + 0.5) / (df + 0.5)) for word, df in (("r", 2), ("a", 1), ("u", 0))}
    total = sum(weight.values())
    assert hits[both].matched_weight == pytest.approx((weight["r"] + weight["a"]) / total)
    assert hits[one].matched_weight == pytest.approx(weight["r"] / total)
    assert len(hits) == 2
    [full, *_] = await shelf.search("antenna")
    assert full.matched_weight == pytest.approx(1.0)


async def test_the_terms_of_the_question_come_with_their_weights(shelf: Shelf) -> None:
    await shelf.put("router antenna", "router", "mast")
    expected = {"router": 2, "antenna": 1, "unicorn": 0}
    found = await shelf.ask("routers antenna unicorn", languages=["en", "xx"])
    weights = {term.alternatives[-1].removesuffix("s"): term.weight for term in found.terms}
    assert weights == pytest.approx({word: math.log(1 + (3 - df + 0.5) / (df + 0.5)) for word, df in expected.items()})
    assert ("router", "routers") in [term.alternatives for term in found.terms]


async def test_terms_have_weights_even_where_no_chunk_matches(shelf: Shelf) -> None:
    await shelf.put("mast")
    found = await shelf.ask("unicorn")
    assert list(found.hits) == []
    assert [term.weight for term in found.terms] == [pytest.approx(math.log(1 + 1.5 / 0.5))]


async def test_equal_chunks_come_in_the_order_of_their_ids(shelf: Shelf) -> None:
    documents = [await shelf.put(*["the same words here"] * 3) for _ in range(3)]
    everything = sorted(chunk_id for document in documents for chunk_id in document.chunk_ids)
    hits = await shelf.search("same words", limit=4)
    assert [hit.chunk_id for hit in hits] == everything[:4]
    assert len({hit.score for hit in hits}) == 1


async def test_also_adds_the_scores_of_given_chunks_that_match(
    shelf: Shelf, make_tenant: Callable[[], Awaitable[Any]]
) -> None:
    document = await shelf.put("router router", "router in a much longer text about masts", "antenna")
    best, second, silent = document.chunk_ids
    assert await shelf.found("router", limit=1) == {best}
    hits = await shelf.search("router", limit=1, also=[second, silent, uuid7()])
    assert [hit.chunk_id for hit in hits] == [best, second]
    assert hits[1].score == pytest.approx(bm25(shelf.texts, ["router"])[second], rel=1e-5)


async def test_also_opens_no_door_to_what_the_scope_hides(shelf: Shelf) -> None:
    private = await shelf.put("router", visibility="private", owner="user:ada")
    deleted = await shelf.put("router")
    await shelf.delete(deleted)
    assert await shelf.search("router", also=[*private.chunk_ids, *deleted.chunk_ids]) == []


async def test_the_forms_of_a_word_find_each_other_in_its_language(shelf: Shelf) -> None:
    document = await shelf.put(
        "Returned devices are refunded.", "Die Rücksendungen werden erstattet.", languages=["en", "de"]
    )
    english, german = document.chunk_ids
    assert await shelf.found("device refund", languages=["en", "de"]) == {english}
    assert await shelf.found("Rücksendung", languages=["en", "de"]) == {german}


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("zh", "本产品的保修期为三年。", "保修期多长"),
        ("ja", "返品は三十日以内に受け付けます。", "返品できますか"),
        ("th", "สินค้ามีการรับประกันสองปี", "การรับประกันกี่ปี"),
        ("ko", "보증 기간은 이 년입니다.", "보증 기간"),
        ("ar", "مدة الضمان سنتان لجميع الأجهزة.", "ما هي مدة الضمان؟"),
        ("hi", "वारंटी की अवधि दो वर्ष है।", "वारंटी कितनी है?"),
        ("ru", "Гарантия действует два года.", "срок гарантии"),
    ],
)
async def test_every_script_is_searchable(shelf: Shelf, language: str, text: str, question: str) -> None:
    document = await shelf.put(text, language=language)
    await shelf.put("Nothing of the kind.", language="en")
    assert await shelf.found(question, languages=["en", language]) == set(document.chunk_ids)


async def test_the_stop_words_of_the_questions_language_do_not_count(shelf: Shelf) -> None:
    document = await shelf.put("La Paz office hours", "Warranty of the router")
    assert await shelf.found("la router") == set(document.chunk_ids)
    assert await shelf.found("la router", question_language="es") == {document.chunk_ids[1]}


async def test_a_part_number_is_found_whole(shelf: Shelf) -> None:
    document = await shelf.put("The DX-4100/2 needs firmware v2.3.1", "The DX-4200/2 needs firmware v2.3.2")
    [first, *_] = await shelf.search("DX-4200/2")
    assert first.chunk_id == document.chunk_ids[1]


@pytest.mark.parametrize("question", ["", "   ", "?!…", "\0", "the of and", "\ud800"])
async def test_a_question_without_terms_finds_nothing(shelf: Shelf, question: str) -> None:
    await shelf.put("router")
    assert await shelf.search(question) == []


async def test_a_limit_of_none_and_an_empty_chatbot_find_nothing(shelf: Shelf) -> None:
    assert await shelf.search("router") == []
    await shelf.put("router")
    assert await shelf.search("router", limit=0) == []


async def test_a_pasted_page_is_a_valid_question(shelf: Shelf) -> None:
    document = await shelf.put("zebra crossing", "common words everywhere")
    page = " ".join(f"filler{number:05d}" for number in range(3000))
    assert document.chunk_ids[0] in await shelf.found(f"{page[:9000]} zebra {page[9000:]}")


async def test_of_a_long_question_the_rarest_words_count(shelf: Shelf) -> None:
    words = ["word" + chr(97 + n // 26) + chr(97 + n % 26) for n in range(100)]
    frequent = [await shelf.put(" ".join(words)) for _ in range(3)]
    rare = await shelf.put("zebra")
    found = await shelf.search(" ".join(words) + " zebra")
    assert {hit.chunk_id for hit in found} == {*rare.chunk_ids, *(c for d in frequent for c in d.chunk_ids)}


async def test_text_that_no_index_likes_is_indexed(shelf: Shelf) -> None:
    strange = await shelf.put("a\0b router", "x" * 10_000 + " router", "", "🦜 router \ufffe")
    assert await shelf.found("router") == {strange.chunk_ids[n] for n in (0, 1, 3)}
    assert strange.chunk_ids[1] in await shelf.found("x" * 10_000)


async def test_the_same_version_again_replaces_what_was_there(shelf: Shelf) -> None:
    document = await shelf.put("router")
    await shelf.store(document, ["antenna"], ["en"])
    assert await shelf.search("router") == []
    assert await shelf.found("antenna") == set(document.chunk_ids)


async def test_a_removed_version_is_not_found(shelf: Shelf) -> None:
    document = await shelf.put("router")
    await shelf.remove(document)
    assert await shelf.search("router") == []


async def test_a_deleted_document_is_gone_from_the_next_search(shelf: Shelf) -> None:
    kept, deleted = await shelf.put("router"), await shelf.put("router")
    await shelf.delete(deleted)
    assert await shelf.found("router") == set(kept.chunk_ids)


async def test_only_the_live_version_is_found(shelf: Shelf) -> None:
    old = await shelf.put("router old")
    await shelf.put("router waiting", document_id=old.document_id, live=False)
    assert await shelf.found("router") == set(old.chunk_ids)
    new = await shelf.put("router new", document_id=old.document_id)
    assert await shelf.found("router") == set(new.chunk_ids)


async def test_a_private_document_is_found_by_its_owner_only_and_leaves_no_trace_in_scores(shelf: Shelf) -> None:
    shared = await shelf.put("router", "antenna", owner="user:bob")
    alone = await shelf.search("router")
    private = await shelf.put("router router", visibility="private", owner="user:ada")
    everything = {shared.chunk_ids[0], *private.chunk_ids}
    assert await shelf.found("router", scope=scope_of(shelf.tenant, owner="user:ada")) == everything
    for owner in (None, "user:bob", ""):
        assert await shelf.search("router", scope=scope_of(shelf.tenant, owner=owner)) == alone


async def test_another_chatbot_and_another_tenant_find_nothing(
    shelf: Shelf, make_chatbot: Callable[[Any], Awaitable[Any]], make_tenant: Callable[[], Awaitable[Any]]
) -> None:
    document = await shelf.put("router")
    second, stranger = await make_chatbot(shelf.tenant), await make_tenant()
    options = {"also": document.chunk_ids}
    assert await shelf.search("router", scope=scope_of(second), **options) == []
    for scope in (scope_of(shelf.tenant), replace(scope_of(shelf.tenant), tenant_id=stranger.tenant_id)):
        assert await shelf.search("router", scope=scope, as_tenant=stranger.tenant_id, **options) == []


async def test_filters_keep_only_what_they_name(shelf: Shelf) -> None:
    first = await shelf.put("router", "router", languages=["en", "de"], category="prices", content_type="faq")
    second = await shelf.put("router", language="th")
    english, german = first.chunk_ids
    [thai] = second.chunk_ids
    for narrowed, expected in (
        ({"document_ids": [second.document_id]}, {thai}),
        ({"languages": ["de", "th"]}, {german, thai}),
        ({"content_types": ["faq"]}, {english, german}),
        ({"categories": ["prices"], "languages": ["en"]}, {english}),
        ({"categories": ["nothing"]}, set()),
        ({"document_ids": []}, set()),
        ({"languages": []}, set()),
    ):
        scope = scope_of(shelf.tenant, **narrowed)
        assert await shelf.found("router", scope=scope, languages=["en", "de", "th"]) == expected, narrowed


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    question=st.text(max_size=300), text=st.text(max_size=300), language=st.sampled_from(["en", "th", "zh", "xx", ""])
)
async def test_any_text_can_be_indexed_and_asked(shelf: Shelf, question: str, text: str, language: str) -> None:
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        await shelf.index.add(
            connection,
            tenant_id=shelf.tenant.tenant_id,
            chatbot_id=shelf.tenant.chatbot_id,
            versions={uuid7(): [KeywordChunk(chunk_id=uuid7(), ordinal=0, text=text, language=language)]},
        )
        await shelf.index.search(
            connection, scope=scope_of(shelf.tenant), query=question, languages=["en", language], limit=5
        )


async def test_conditions_and_dates_narrow_what_is_found(shelf: Shelf) -> None:
    first = await shelf.put("router", "router", languages=["en", "de"], category="prices")
    second = await shelf.put("router", category="manuals")
    everything = {*first.chunk_ids, *second.chunk_ids}
    for condition, expected in (
        (Condition(field="category", values=("prices",)), set(first.chunk_ids)),
        (Condition(field="category", values=("prices",), is_negated=True), set(second.chunk_ids)),
        (Condition(field="language", values=("de",)), {first.chunk_ids[1]}),
        (Condition(field="language", values=("de",), is_negated=True), everything - {first.chunk_ids[1]}),
        (Condition(field="document", values=(str(second.document_id),)), set(second.chunk_ids)),
        (Condition(field="heading", values=("none",)), set()),
    ):
        scope = scope_of(shelf.tenant, conditions=[condition])
        assert await shelf.found("router", scope=scope, languages=["en", "de"]) == expected, condition
    past, future = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    for dates, expected in (
        ({"dated_from": past, "dated_before": future}, everything),
        ({"dated_before": past}, set()),
    ):
        assert await shelf.found("router", scope=scope_of(shelf.tenant, **dates), languages=["en", "de"]) == expected


async def test_a_filter_by_language_does_not_crowd_out_what_fits(shelf: Shelf) -> None:
    await shelf.put(*["router router"] * 300)
    fitting = await shelf.put("router in a much longer text about masts", language="de")
    found = await shelf.found("router", scope=scope_of(shelf.tenant, languages=["de"]), languages=["en", "de"], limit=3)
    assert found == set(fitting.chunk_ids)


async def test_reading_transactions_search_too(shelf: Shelf) -> None:
    document = await shelf.put("router antenna", "mast")
    scope = scope_of(shelf.tenant, owner="user:ada", languages=["en"])
    async with shelf.database.reading(shelf.tenant.tenant_id) as connection:
        found = await shelf.index.search(
            connection, scope=scope, query='"router antenna" anten* mastt', languages=["en"], limit=5, operators=True
        )
    assert [hit.chunk_id for hit in found.hits] == [document.chunk_ids[0]]


# --- misspelled words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("waranty", "The warranty ends."),
        ("warrnaty", "The warranty ends."),
        ("refridgerater", "A refrigerator hums."),
        ("Rechnnug", "Die Rechnung liegt bei."),
        ("гаранитя", "Гарантия действует два года."),
    ],
)
async def test_a_misspelled_word_finds_what_was_meant(shelf: Shelf, asked: str, written: str) -> None:
    document = await shelf.put(written, "Something else.", language="xx")
    found = await shelf.ask(asked, languages=["xx"])
    assert [hit.chunk_id for hit in found.hits] == [document.chunk_ids[0]]
    [term] = found.terms
    assert term.corrected_from == asked.lower()
    assert term.alternatives[0] in analyse(written, "xx")


async def test_a_word_that_is_found_is_never_corrected(shelf: Shelf) -> None:
    document = await shelf.put("cable", "table")
    found = await shelf.ask("cable")
    assert {hit.chunk_id for hit in found.hits} == {document.chunk_ids[0]}
    assert [term.corrected_from for term in found.terms] == [""]


@pytest.mark.parametrize(
    ("language", "asked", "written"),
    [
        ("en", "long", "Das Kabel ist lang."),
        ("de", "braucht", "Das Kabel brauch Strom."),
        ("es", "tarda", "Die Tarla steht."),
    ],
)
async def test_an_everyday_word_is_taken_for_no_other_one(
    shelf: Shelf, language: str, asked: str, written: str
) -> None:
    await shelf.put(written, language="de")
    languages = ["de", "en", "es"]
    [term] = (await shelf.ask(asked, languages=languages, question_language=language)).terms
    assert term.corrected_from == ""
    [unknown] = (await shelf.ask(asked, languages=languages)).terms  # that it is one is known of its language only
    assert unknown.corrected_from != ""


async def test_a_misspelled_word_beside_everyday_ones_is_still_corrected(shelf: Shelf) -> None:
    await shelf.put("The warranty ends. Das Kabel ist lang.")
    found = await shelf.ask("how long waranty", languages=["en", "de"], question_language="en")
    assert {term.corrected_from: term.alternatives[0] for term in found.terms} == {"": "long", "waranti": "warranti"}


async def test_a_corrected_word_counts_less_than_one_that_is_written_so(shelf: Shelf) -> None:
    await shelf.put("router", "mast")
    [right], [wrong] = await shelf.search("router"), await shelf.search("routre")
    assert 0 < wrong.score < right.score
    assert 0 < wrong.matched_weight < right.matched_weight


@pytest.mark.parametrize("asked", ["DX-4101", "41000", "v2.3.2", "mst", "東都", "a@c.example"])
async def test_codes_numbers_and_short_words_are_not_corrected(shelf: Shelf, asked: str) -> None:
    await shelf.put("DX-4100/2 41001 v2.3.1 mast 東京 a@b.example", language="xx")
    parts = {"2", "3", "dx"}  # are held as they are
    assert all(
        term.corrected_from == "" or set(term.alternatives) & parts
        for term in (await shelf.ask(asked, languages=["xx"])).terms
    )


async def test_a_question_in_a_language_the_knowledge_is_not_written_in_is_not_corrected(shelf: Shelf) -> None:
    await shelf.put("The warranty ends.")
    assert await shelf.search("waranty", question_language="de") == []
    assert await shelf.search("waranty", question_language="en") != []


async def test_words_of_private_documents_correct_nobody_elses_questions(shelf: Shelf) -> None:
    await shelf.put("router")
    private = await shelf.put("project nightingale", visibility="private", owner="user:ada")
    found = await shelf.ask("nightingal")
    assert (list(found.hits), [term.corrected_from for term in found.terms]) == ([], [""])
    owner = scope_of(shelf.tenant, owner="user:ada")
    assert await shelf.found("nightingal", scope=owner) == set(private.chunk_ids)


# --- phrases, prefixes, required and forbidden words -----------------------------------------------------------------


async def test_a_phrase_is_found_word_for_word(shelf: Shelf) -> None:
    document = await shelf.put(
        "Terms of Service, version two.", "Service terms apply.", "The term of a service is long.", "Ça, c'est l'École."
    )
    exact, loose, *_, french = document.chunk_ids
    assert await shelf.found('"terms of service"', operators=True) == {exact}
    assert loose in await shelf.found('"terms of service"')
    assert await shelf.found("\"ca c'est l'ecole\"", operators=True) == {french}
    assert await shelf.found('"service of terms"', operators=True) == set()
    assert await shelf.found('service -"terms of service"', operators=True) == set(document.chunk_ids[1:3])


@pytest.mark.parametrize(
    ("language", "text", "phrase", "other"),
    [
        ("ja", "本製品の保証期間は三年です。", "保証期間", "期間の保証"),
        ("th", "สินค้ามีการรับประกันสองปี", "การรับประกัน", "ประกันการรับ"),
    ],
)
async def test_phrases_are_found_where_no_spaces_are_written(
    shelf: Shelf, language: str, text: str, phrase: str, other: str
) -> None:
    document = await shelf.put(text, language=language)
    options = {"languages": [language], "operators": True}
    assert await shelf.found(f'"{phrase}"', **options) == set(document.chunk_ids)
    assert await shelf.found(f'"{other}"', **options) == set()


async def test_a_phrase_is_found_among_many_that_hold_its_words(shelf: Shelf) -> None:
    await shelf.put(*["blue red"] * 300)
    document = await shelf.put("a long text in which, in the end, red blue is said once")
    assert await shelf.found('"red blue"', operators=True, limit=2) == set(document.chunk_ids)


async def test_a_prefix_finds_all_words_that_begin_so(shelf: Shelf) -> None:
    document = await shelf.put("warranty", "warranted", "warden", "Gewähr", "DX-4100/2", "DX-4200")
    first, second, third, german, code, other = document.chunk_ids
    assert await shelf.found("warrant*", operators=True) == {first, second}
    assert await shelf.found("war*", operators=True) == {first, second, third}
    assert await shelf.found("GEWA*", operators=True, languages=["xx"]) == {german}
    assert await shelf.found("dx-41*", operators=True) == {code}
    assert await shelf.found("dx-4*", operators=True) == {code, other}
    assert await shelf.found("zzz*", operators=True) == set()


async def test_required_and_forbidden_words_decide(shelf: Shelf) -> None:
    document = await shelf.put("router antenna", "router cables", "antenna", "DX-4100 router", "DX-4200 router")
    both, cabled, antenna, old, new = document.chunk_ids
    assert await shelf.found("router +antennas", operators=True) == {both, antenna}
    assert await shelf.found("router -cable", operators=True) == {both, old, new}
    assert await shelf.found("router -DX-4100", operators=True) == {both, cabled, new}
    assert await shelf.found("router +unheard", operators=True) == set()
    assert {hit.chunk_id for hit in await shelf.search("router -cable", operators=True, limit=1, also=[cabled, new])} <= {
        both, old, new,
    }  # fmt: skip


async def test_operators_are_mere_signs_where_nobody_asked_for_them(shelf: Shelf) -> None:
    document = await shelf.put("router antenna", "antenna")
    assert await shelf.found('"router" -antenna') == set(document.chunk_ids)


# --- synonyms --------------------------------------------------------------------------------------------------------


async def test_a_synonym_is_found_but_counts_less(shelf: Shelf) -> None:
    document = await shelf.put("the invoice", "the bill", "the mast")
    invoice, bill, _ = document.chunk_ids
    assert await shelf.found("invoice") == {invoice}
    hits = await shelf.search("invoice", synonyms={"invoice": ["bill"]})
    assert [hit.chunk_id for hit in hits] == [invoice, bill]
    assert 0 < hits[1].score < hits[0].score
    assert 0 < hits[1].matched_weight < hits[0].matched_weight == pytest.approx(1.0)
    [alone] = await shelf.search("invoice")
    assert alone == hits[0]


async def test_a_name_of_several_words_is_a_synonym_only_as_a_whole(shelf: Shelf) -> None:
    document = await shelf.put("MDF rules", "market development funds", "market day", "development")
    short, long, *_ = document.chunk_ids
    synonyms = {"MDF": ["market development funds"]}
    assert await shelf.found("MDF", synonyms=synonyms) == {short, long}
    back = {"market development funds": ["MDF"]}
    hits = await shelf.search("market development funds", synonyms=back)
    assert {hit.chunk_id for hit in hits} == set(document.chunk_ids)
    assert hits[0].chunk_id == long


async def test_a_chunk_that_holds_word_and_synonym_counts_once(shelf: Shelf) -> None:
    document = await shelf.put("invoice bill", "invoice mast", "mast")
    hits = await shelf.search("invoice", synonyms={"invoice": ["bill"], "unasked": ["mast"]})
    assert {hit.chunk_id for hit in hits} == set(document.chunk_ids[:2])
    assert hits[0].score == pytest.approx(hits[1].score)


# --- upkeep ----------------------------------------------------------------------------------------------------------


async def test_many_small_additions_are_one_knowledge(shelf: Shelf) -> None:
    for number in range(35):
        await shelf.put(f"router number {number}", "antenna" if number % 2 else "mast mast")
    hits = await shelf.search("router mast", limit=100)
    expected = bm25(shelf.texts, ["router", "mast"])
    assert {hit.chunk_id: hit.score for hit in hits} == pytest.approx(expected, rel=1e-5)


async def test_upkeep_changes_no_answer(shelf: Shelf) -> None:
    documents = [await shelf.put(f"router {number}", "antenna mast") for number in range(12)]
    for document in documents[::3]:
        await shelf.remove(document)
    before = await shelf.search("router mast", limit=100)
    for _ in range(20):
        async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
            if not await shelf.index.tidy(
                connection, tenant_id=shelf.tenant.tenant_id, chatbot_id=shelf.tenant.chatbot_id
            ):
                break
    else:
        pytest.fail("Upkeep never ends.")
    assert await shelf.search("router mast", limit=100) == before
    assert len(before) == 2 * 8


async def test_a_change_that_is_taken_back_changes_no_answer(shelf: Shelf) -> None:
    document = await shelf.put("router")
    with pytest.raises(ZeroDivisionError):
        async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
            await shelf.index.remove_version(
                connection, tenant_id=shelf.tenant.tenant_id, version_id=document.version_id
            )
            await shelf.change(connection)
            options: Any = {"scope": scope_of(shelf.tenant), "query": "router", "languages": ["en"], "limit": 5}
            assert list((await shelf.index.search(connection, **options)).hits) == []
            raise ZeroDivisionError
    assert await shelf.found("router") == set(document.chunk_ids)
