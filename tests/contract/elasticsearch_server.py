"""A double of Elasticsearch (and OpenSearch), as far as the adapter uses its REST API, written from the public reference.

It checks what it is sent (mappings are strict, unknown clauses are errors), shows a document to searches only after a
refresh, knows lengths of long texts roughly, as Lucene does, and scores by the similarity that the index was made with.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.json_server import JsonDouble, RefusalError, Request

_TEXT, _KEYWORD, _INTEGER = "text", "keyword", "integer"
_NUMBERS = re.compile(
    r"doc\.freq \* ([\d.]+) / \(doc\.freq \+ ([\d.]+) \* \(([\d.]+) \+ ([\d.]+) \* doc\.length / average\)\)"
)


@dataclass(kw_only=True)
class _Document:
    id: str
    routing: str | None
    source: dict[str, Any]

    def __post_init__(self) -> None:
        self.terms = Counter(self.source["terms"].split())
        self.length = _rough(sum(self.terms.values()))


class ElasticsearchServer(JsonDouble):
    """`named` replaces the ids of the hits, to see what becomes of lies; `items_fail` refuses documents in bulk."""

    def __init__(self) -> None:
        super().__init__()
        self.indexes: dict[str, dict[str, Any]] = {}
        self.named: list[str] | None = None
        self.items_fail: int | None = None

    def answer(self, request: Request) -> Any:
        match (request.method, request.path.strip("/").split("/")):
            case ("PUT", [name]):
                return self._create(name, request.body)
            case ("POST", [name, "_bulk"]):
                return self._bulk(self._index(name), request)
            case ("POST", [name, "_search"]):
                return self._search(self._index(name), request)
            case ("POST", [name, "_delete_by_query"]):
                return self._delete_by_query(self._index(name), request)
        raise RefusalError(405, {"error": "no handler found", "status": 405})

    def documents(self) -> list[dict[str, Any]]:
        return [document.source for index in self.indexes.values() for document in index["documents"].values()]

    def remove_documents(self, *, keep: int) -> None:
        """As if somebody had deleted all but some behind our back."""
        for index in self.indexes.values():
            index["documents"] = dict(list(index["documents"].items())[:keep])

    # ---- requests

    def _index(self, name: str) -> dict[str, Any]:
        if name not in self.indexes:
            reason = {"type": "index_not_found_exception", "reason": f"no such index [{name}]"}
            raise RefusalError(404, {"error": reason, "status": 404})
        return self.indexes[name]

    def _create(self, name: str, body: Any) -> Any:
        if name in self.indexes:
            raise _bad("resource_already_exists_exception", f"index [{name}] already exists")
        settings = body["settings"]["index"]
        numbers = _NUMBERS.search(settings["similarity"]["dragoman"]["script"]["source"])
        assert numbers is not None
        assert body["mappings"]["dynamic"] == "strict"
        analyzer = body["mappings"]["properties"]["terms"]["analyzer"]
        assert settings["analysis"]["analyzer"][analyzer]["tokenizer"] == "whitespace"
        self.indexes[name] = {
            "types": {field: kind["type"] for field, kind in body["mappings"]["properties"].items()},
            "script": tuple(map(float, numbers.groups())),
            "documents": {},
            "unseen": {},
        }
        return {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def _bulk(self, index: dict[str, Any], request: Request) -> Any:
        assert request.headers["content-type"] == "application/x-ndjson"
        assert request.raw.endswith(b"\n")
        lines = [json.loads(line) for line in request.raw.splitlines()]
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            [(kind, about)] = action.items()
            assert kind == "index"
            if unknown := set(source) - set(index["types"]):
                raise _bad("strict_dynamic_mapping_exception", f"{unknown} not allowed")
            item: dict[str, Any] = {"_id": about["_id"], "status": 201}
            if self.items_fail is not None:
                item = {**item, "status": self.items_fail, "error": {"type": "told_to_fail"}}
            else:
                document = _Document(id=about["_id"], routing=request.query.get("routing"), source=source)
                index["unseen"][about["_id"]] = document
            items.append({"index": item})
        if request.query.get("refresh") in ("true", "wait_for"):
            _refresh(index)
        return {"took": 1, "errors": self.items_fail is not None, "items": items}

    def _delete_by_query(self, index: dict[str, Any], request: Request) -> Any:
        doomed = [each.id for each, _ in self._matching(index, request)]
        for entry in doomed:
            del index["documents"][entry]
        if request.query.get("refresh") == "true":
            _refresh(index)
        return {"took": 1, "deleted": len(doomed), "version_conflicts": 0, "failures": []}

    def _search(self, index: dict[str, Any], request: Request) -> Any:
        body = request.body
        matching = self._matching(index, request)
        size = body.get("size", 10)
        if size > 10_000:
            raise _bad("illegal_argument_exception", "Result window is too large")
        if "sort" in body:
            [(field, _)] = body["sort"][0].items()
            matching.sort(key=lambda pair: pair[0].source[field])
            if after := body.get("search_after"):
                matching = [pair for pair in matching if pair[0].source[field] > after[0]]
        else:
            matching.sort(key=lambda pair: (-pair[1], pair[0].id))
        hits = [self._hit(document, score, body) for document, score in matching[:size]]
        if self.named is not None and size:
            hits = [{"_id": entry, "_score": 1.0, "_source": {"terms": "router"}} for entry in self.named]
        answer: dict[str, Any] = {"took": 1, "timed_out": False, "hits": {"hits": hits}}
        if body.get("track_total_hits", True):
            answer["hits"]["total"] = {"value": len(matching), "relation": "eq"}
        if "aggs" in body:
            documents = [document for document, _ in matching]
            answer["aggregations"] = {
                name: self._aggregate(index, kind, documents) for name, kind in body["aggs"].items()
            }
        return answer

    def _hit(self, document: _Document, score: float, body: Any) -> Any:
        shown = {field: document.source[field] for field in body.get("_source", document.source)}
        hit = {"_id": document.id, "_score": score, "_source": shown}
        if "sort" in body:
            [(field, _)] = body["sort"][0].items()
            hit["sort"] = [document.source[field]]
        return hit

    def _matching(self, index: dict[str, Any], request: Request) -> list[tuple[_Document, float]]:
        routing = request.query.get("routing")
        average = max(
            1.0, sum(sum(each.terms.values()) for each in index["documents"].values()) / max(1, len(index["documents"]))
        )
        scorer = _Scorer(types=index["types"], script=index["script"], average=average)
        scored = [
            (each, scorer.score(each, request.body["query"]))
            for each in index["documents"].values()
            if routing is None or each.routing == routing
        ]
        return [(each, score) for each, score in scored if score is not None]

    def _aggregate(self, index: dict[str, Any], kind: Mapping[str, Any], documents: list[_Document]) -> Any:
        match kind:
            case {"sum": {"field": field}}:
                return {"value": float(sum(each.source[field] for each in documents))}
            case {"filters": {"filters": named}}:
                scorer = _Scorer(types=index["types"], script=index["script"], average=1.0)
                buckets = {
                    name: {"doc_count": sum(scorer.score(each, query) is not None for each in documents)}
                    for name, query in named.items()
                }
                return {"buckets": buckets}
            case {"composite": {"size": size, "sources": [source], **rest}}:
                [(name, terms)] = source.items()
                counts = Counter(each.source[terms["terms"]["field"]] for each in documents)
                after = rest.get("after", {}).get(name, "")
                keys = sorted(key for key in counts if key > after)[:size]
                buckets = [{"key": {name: key}, "doc_count": counts[key]} for key in keys]
                return {"buckets": buckets, **({"after_key": {name: keys[-1]}} if keys else {})}
        raise _bad("parsing_exception", f"unknown aggregation {kind}")


# ---- queries


@dataclass(kw_only=True)
class _Scorer:
    types: Mapping[str, str]
    script: tuple[float, ...]
    average: float

    def score(self, document: _Document, query: Mapping[str, Any]) -> float | None:
        """None for a document that does not match."""
        [(kind, body)] = query.items()
        known = {
            "bool": self._bool,
            "dis_max": self._dis_max,
            "term": self._term,
            "terms": self._terms,
            "prefix": self._prefix,
            "fuzzy": self._fuzzy,
        }
        if kind == "match_none":
            return None
        if kind == "ids":
            return 1.0 if document.id in body["values"] else None
        if kind not in known:
            raise _bad("parsing_exception", f"unknown query [{kind}]")
        return known[kind](document, body)

    def _bool(self, document: _Document, body: Mapping[str, Any]) -> float | None:
        if set(body) - {"must", "filter", "must_not", "should", "minimum_should_match"}:
            raise _bad("parsing_exception", f"unknown clause in {sorted(body)}")
        total = 0.0
        for clause in body.get("must", []):
            score = self.score(document, clause)
            if score is None:
                return None
            total += score
        if any(self.score(document, clause) is None for clause in body.get("filter", [])):
            return None
        if any(self.score(document, clause) is not None for clause in body.get("must_not", [])):
            return None
        optional = [score for clause in body.get("should", []) if (score := self.score(document, clause)) is not None]
        default = 1 if "should" in body and not body.get("must") and not body.get("filter") else 0
        if len(optional) < body.get("minimum_should_match", default):
            return None
        return total + sum(optional)

    def _dis_max(self, document: _Document, body: Mapping[str, Any]) -> float | None:
        scores = [score for query in body["queries"] if (score := self.score(document, query)) is not None]
        return max(scores, default=None)

    def _term(self, document: _Document, body: Mapping[str, Any]) -> float | None:
        [(field, about)] = body.items()
        value = about["value"] if isinstance(about, dict) else about
        boost = about.get("boost", 1.0) if isinstance(about, dict) else 1.0
        if self._type(field) != _TEXT:
            return boost if document.source[field] == value else None
        frequency = document.terms.get(value, 0)
        if not frequency:
            return None
        most, k1, flat, slope = self.script
        return boost * frequency * most / (frequency + k1 * (flat + slope * document.length / self.average))

    def _terms(self, document: _Document, body: Mapping[str, Any]) -> float | None:
        [(field, values)] = body.items()
        if len(values) > 65_536:
            raise _bad("illegal_argument_exception", "too many terms")
        held = document.terms if self._type(field) == _TEXT else {document.source[field]}
        return 1.0 if any(value in held for value in values) else None

    def _prefix(self, document: _Document, body: Mapping[str, Any]) -> float | None:
        [(field, about)] = body.items()
        assert self._type(field) == _TEXT
        held = any(term.startswith(about["value"]) for term in document.terms)
        return float(about.get("boost", 1.0)) if held else None

    def _fuzzy(self, document: _Document, body: Mapping[str, Any]) -> float | None:
        [(field, about)] = body.items()
        assert self._type(field) == _TEXT
        value, errors, kept = about["value"], about["fuzziness"], about["prefix_length"]
        near = any(term[:kept] == value[:kept] and _distance(term, value) <= errors for term in document.terms)
        return 1.0 if near else None

    def _type(self, field: str) -> str:
        if field not in self.types:
            raise _bad("query_shard_exception", f"no field [{field}]")
        return self.types[field]


def _distance(one: str, other: str) -> int:
    """Damerau and Levenshtein's, restricted, as Lucene's automata count."""
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, above, row = above, row, [i]
        for j, b in enumerate(other, 1):
            best = min(row[-1] + 1, above[j] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            row.append(best)
    return row[-1]


def _rough(length: int) -> int:
    """A length as Lucene's norms keep it: exact to 40, then with four significant bits."""
    if length <= 40:
        return length
    shift = (length - 24).bit_length() - 4
    return 24 + ((length - 24) >> shift << shift)


def _refresh(index: dict[str, Any]) -> None:
    index["documents"] |= index["unseen"]
    index["unseen"] = {}


def _bad(kind: str, reason: str) -> RefusalError:
    return RefusalError(400, {"error": {"type": kind, "reason": reason}, "status": 400})


@contextmanager
def run_elasticsearch() -> Iterator[ElasticsearchServer]:
    server = ElasticsearchServer()
    with server.running():
        yield server
