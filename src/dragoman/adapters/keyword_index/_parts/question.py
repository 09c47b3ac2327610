"""What a query asks for: its words, what belongs together, what must and must not be there."""

# ruff: noqa: S608 - the SQL is put together from constants; every value is a parameter

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dragoman.adapters.keyword_index._parts.ranking import Token, Unit
from dragoman.adapters.scope_sql import chunk_conditions, scope_parameters
from dragoman.kit.text.everyday_words import common_forms
from dragoman.kit.text.query_syntax import ParsedQuery, fold_for_phrases, parse_query
from dragoman.kit.text.terms import analyse_query, base_language, normalise_prefix
from dragoman.ports.search_scope import SearchScope

LONGEST_QUESTION: Final = 20_000  # characters that are read of a question
MOST_TOKENS: Final = 64  # of a question count, the rarest
CORRECTED: Final = {1: 0.7, 2: 0.5}  # what a chunk counts that holds a word one or two errors away
_MOST_SYNONYMS: Final = 8  # for one word or name


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a query asks for.

    Attributes:
        tokens: what ranks; units and `required` point into it.
        forbidden: a chunk must not hold all tokens of any of these.
        phrases, forbidden_phrases: folded, to be compared with folded text.
        common: forms of everyday words of the question's language, which nobody misspelled.
    """

    tokens: Sequence[Token]
    units: Sequence[Unit]
    required: frozenset[int]
    forbidden: Sequence[Sequence[Token]]
    phrases: Sequence[str]
    forbidden_phrases: Sequence[str]
    may_be_corrected: bool
    common: frozenset[tuple[str, ...]] = frozenset()

    def corrects(self, token: Token) -> bool:
        """Whether this token may be a misspelling, where no chunk holds it."""
        return self.may_be_corrected and is_word(token) and token.forms not in self.common

    def all_tokens(self) -> list[Token]:
        """Those that rank, and those of other wordings."""
        return [*self.tokens, *(token for unit in self.units for tokens in unit.others for token in tokens)]


def read_question(
    query: str,
    languages: Sequence[str],
    question_language: str,
    synonyms: Mapping[str, Sequence[str]],
    *,
    operators: bool,
) -> Question:
    query = query[:LONGEST_QUESTION]
    parsed = parse_query(query) if operators else ParsedQuery(words=query)

    def terms(text: str, *, is_phrase: bool = False) -> list[tuple[str, ...]]:
        return analyse_query(text, languages, question_language=question_language, is_phrase=is_phrase)

    words = terms(parsed.words)
    numbers = {forms: number for number, forms in enumerate(words)}
    prefixes = [Token(normalise_prefix(prefix, languages), is_prefix=True) for prefix in parsed.prefixes]
    required = [forms for text in (*parsed.required, *parsed.phrases) for forms in terms(text, is_phrase=True)]
    return Question(
        tokens=[*map(Token, words), *prefixes],
        units=_units(numbers, len(prefixes), synonyms, terms),
        required=frozenset(numbers[forms] for forms in required if forms in numbers),
        forbidden=[[Token(forms) for forms in terms(text)] for text in parsed.forbidden],
        phrases=[folded for text in parsed.phrases if (folded := fold_for_phrases(text))],
        forbidden_phrases=[folded for text in parsed.forbidden_phrases if (folded := fold_for_phrases(text))],
        may_be_corrected=not question_language
        or base_language(question_language) in {base_language(language) for language in languages},
        common=common_forms(question_language, tuple(languages)),
    )


def is_word(token: Token) -> bool:
    return not token.is_prefix and all(map(str.isalpha, token.forms))


def _units(
    numbers: Mapping[tuple[str, ...], int],
    prefixes: int,
    synonyms: Mapping[str, Sequence[str]],
    terms: Callable[[str], list[tuple[str, ...]]],
) -> list[Unit]:
    """The words that have synonyms, the longest first; then all others, each on its own."""
    units: list[Unit] = []
    free = set(numbers.values())
    for words, others in sorted(synonyms.items(), key=lambda item: -len(item[0])):
        own = [numbers.get(forms, -1) for forms in terms(words)]
        if own and free.issuperset(own):
            analysed = [[Token(forms) for forms in terms(other)] for other in others[:_MOST_SYNONYMS]]
            units.append(Unit(tokens=tuple(own), others=[tokens for tokens in analysed if tokens]))
            free.difference_update(own)
    rest = [*sorted(free), *range(len(numbers), len(numbers) + prefixes)]
    return [*units, *(Unit(tokens=(number,)) for number in rest)]


# --- what only the chunks themselves tell ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """SQL of what the scope sees among `chunk_ids`, and phrases that their text must and must not hold."""

    sql: str
    parameters: Mapping[str, Any]
    phrases: Sequence[str]
    forbidden_phrases: Sequence[str]

    def holds(self, row: Any) -> bool:
        if not self.phrases and not self.forbidden_phrases:
            return True
        text = " \n ".join(fold_for_phrases(part) for part in (row.title, *row.heading_path, row.text))
        text = f" {text} "
        return all(f" {phrase} " in text for phrase in self.phrases) and not any(
            f" {phrase} " in text for phrase in self.forbidden_phrases
        )


def check_of(scope: SearchScope, question: Question, *, versions: str = "") -> Check:
    """What decides whether a chunk may be found: filters, phrases, and unless they are known to be visible `versions`,
    a SELECT of `version_id`.
    """
    conditions = chunk_conditions(scope)
    reads_text = bool(question.phrases or question.forbidden_phrases)
    columns = ", d.title, k.heading_path, k.text" if reads_text else ""
    documents = "join documents d on d.tenant_id = k.tenant_id and d.id = k.document_id" if reads_text else ""
    return Check(
        sql=f"""
            {f"with visible as materialized ({versions})" if versions else ""}
            select k.id{columns} from chunks k {documents}
            where k.tenant_id = %(tenant_id)s and k.chatbot_id = %(chatbot_id)s and k.id = any(%(chunk_ids)s::uuid[])
                {"and (k.version_id in (select version_id from visible)) is true" if versions else ""}
                {f"and {conditions}" if conditions else ""}""",
        parameters=scope_parameters(scope),
        phrases=question.phrases,
        forbidden_phrases=question.forbidden_phrases,
    )
