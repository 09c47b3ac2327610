"""Personal data by Microsoft Presidio (extra `pii-presidio`): its pattern recognisers, and spaCy models that are named.

For who wants Presidio's recognisers of some twenty countries, or organisations and places by a spaCy model of their own.
Without such a model a blank tokeniser serves, so that nothing is loaded but code (about 100 MB, 1 s). All recognisers
read all languages, because an identity number is written alike in any of them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import logging
import re
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.registry import MissingExtraError
from dragoman.ports.pii_detector import PiiSpan, settle_overlaps

_ANY: Final = "en"  # Presidio asks for one language; its recognisers are all put under this one
_SLICE_CHARACTERS: Final = 50_000

# The names of Presidio that differ from those of the other detectors.
_TYPES: Final = {"IT_VAT_CODE": "IT_VAT", "DE_SOCIAL_SECURITY_NUMBER": "DE_SOCIAL_SECURITY", "IN_PAN_NUMBER": "IN_PAN"}
_SPACY_TYPES: Final = {
    "PERSON": "PERSON", "PER": "PERSON", "ORG": "ORGANIZATION", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION",
    "NORP": "NRP", "DATE": "DATE_TIME", "TIME": "DATE_TIME",
}  # fmt: skip
_SPACY_SCORE: Final = 0.6  # spaCy gives no probability; surer than a bare pattern, less sure than check digits

# Not personal data, or forms so wide that they match version numbers and part numbers.
_LEFT_OUT: Final = frozenset(
    {"UuidRecognizer", "DePlzRecognizer", "DeKfzRecognizer", "UkVehicleRegistrationRecognizer", "UkPostcodeRecognizer",
     "CaPostalCodeRecognizer", "ZaLicensePlateRecognizer", "TrLicensePlateRecognizer", "SgUenRecognizer",
     "AuAbnRecognizer", "AuAcnRecognizer", "KrBrnRecognizer"}
)  # fmt: skip


_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # half a character, which has no bytes in UTF-8


class Settings(BaseModel):
    """Settings of the detector of personal data `presidio`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spacy_models: dict[str, str] = Field(
        default_factory=dict,
        description="An installed spaCy model for a language (ISO 639-1), such as `en: en_core_web_sm`, for people, "
        "organisations and places.",
    )
    phone_regions: tuple[str, ...] = Field(
        default=("US", "GB", "DE", "FR", "ES", "IT", "IN", "BR"),
        description="Countries (ISO 3166, upper case) whose national telephone numbers are known.",
    )
    min_score: float = Field(default=0.5, ge=0, le=1, description="Less sure findings are left out.")
    idle_s: float = Field(default=300, gt=0, description="Seconds without work after which the models leave memory.")


class Adapter:
    """The detector of personal data `presidio`. It is loaded by the first call and leaves when idle."""

    def __init__(self, settings: Settings) -> None:
        for package in ("presidio_analyzer", *settings.spacy_models.values()):
            if importlib.util.find_spec(package) is None:
                raise MissingExtraError(
                    f"The detector `presidio` needs {package}: pip install 'dragoman[pii-presidio]'."
                )
        self._settings = settings
        self._analyzer: _Analyzer | None = None
        self._types: frozenset[str] | None = None
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="pii-presidio")
        self._guard = threading.Lock()
        self._used_at = 0.0
        self._leaving: threading.Timer | None = None

    @property
    def types(self) -> frozenset[str]:
        """Loads Presidio where it is not: about a second."""
        if self._types is None:
            self._types = self._load().types
        return self._types

    async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
        found: list[list[PiiSpan]] = []
        for part in _cut_slices(texts):
            found += await asyncio.get_running_loop().run_in_executor(self._lane, self._detect_slice, part, language)
        return found

    async def close(self) -> None:
        self._lane.shutdown(wait=False, cancel_futures=True)
        with self._guard:
            if self._leaving is not None:
                self._leaving.cancel()
            self._analyzer = None

    def _detect_slice(self, texts: Sequence[str], language: str) -> list[list[PiiSpan]]:
        analyzer = self._load()
        found = [settle_overlaps(analyzer.find(text, language)) for text in texts]
        with self._guard:
            self._used_at = time.monotonic()
            if self._leaving is None:
                self._start_timer(self._settings.idle_s)
        return found

    def _load(self) -> _Analyzer:
        with self._guard:
            self._analyzer = self._analyzer or _Analyzer(self._settings)
            return self._analyzer

    def _start_timer(self, seconds: float) -> None:
        self._leaving = threading.Timer(seconds, self._leave_when_idle)
        self._leaving.daemon = True
        self._leaving.start()

    def _leave_when_idle(self) -> None:
        with self._guard:
            rest = self._used_at + self._settings.idle_s - time.monotonic()
            if rest > 0:
                self._start_timer(rest)
            else:
                self._analyzer, self._leaving = None, None


def _cut_slices(texts: Sequence[str]) -> Iterable[list[str]]:
    part: list[str] = []
    characters = 0
    for text in texts:
        if part and characters + len(text) > _SLICE_CHARACTERS:
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text)
    if part:
        yield part


class _Analyzer:
    """Presidio's engine with all pattern recognisers, and the spaCy models."""

    def __init__(self, settings: Settings) -> None:
        import presidio_analyzer  # noqa: PLC0415  0.9 s, 100 MB
        import spacy  # noqa: PLC0415

        _keep_offline()
        # Presidio logs each engine it builds, and warns of every type it is not told about.
        logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
        self._min_score = settings.min_score
        self._models = {language: spacy.load(name) for language, name in settings.spacy_models.items()}
        registry = presidio_analyzer.RecognizerRegistry(
            recognizers=list(_recognizers(settings.phone_regions)), supported_languages=[_ANY]
        )
        self._engine = presidio_analyzer.AnalyzerEngine(
            registry=registry, nlp_engine=_tokenizer(), supported_languages=[_ANY]
        )
        named = {_TYPES.get(name, name) for name in self._engine.get_supported_entities(_ANY)}
        self.types = frozenset(named | (set(_SPACY_TYPES.values()) if self._models else set()))

    def find(self, text: str, language: str) -> list[PiiSpan]:
        text = _SURROGATE.sub("\ufffd", text)
        results = self._engine.analyze(text, language=_ANY, score_threshold=self._min_score)
        spans = [
            PiiSpan(start=r.start, end=r.end, type=_TYPES.get(r.entity_type, r.entity_type), score=float(r.score))
            for r in results
        ]
        model = self._models.get(language)
        if model is not None and self._min_score <= _SPACY_SCORE:
            spans += [
                PiiSpan(start=e.start_char, end=e.end_char, type=_SPACY_TYPES[e.label_], score=_SPACY_SCORE)
                for e in model(text).ents
                if e.label_ in _SPACY_TYPES
            ]
        return spans


def _recognizers(phone_regions: Sequence[str]) -> Iterable[Any]:
    from presidio_analyzer import PatternRecognizer, predefined_recognizers  # noqa: PLC0415

    for name in sorted(predefined_recognizers.__all__):
        kind: Any = getattr(predefined_recognizers, name)
        if name == "PhoneRecognizer":
            # 0.4 as delivered, below any useful threshold: the numbers are valid ones of these countries.
            phone = kind(supported_language=_ANY, supported_regions=tuple(phone_regions))
            phone.SCORE = 0.55
            yield phone
        elif inspect.isclass(kind) and issubclass(kind, PatternRecognizer) and name not in _LEFT_OUT:
            yield kind(supported_language=_ANY)  # type: ignore[call-arg, unused-ignore]


def _keep_offline() -> None:
    """Presidio checks domains with tldextract, which would download the list of public suffixes. It carries one."""
    import tldextract  # noqa: PLC0415

    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def _tokenizer() -> Any:
    """An NLP engine that only cuts words, which Presidio needs to see words such as "card" beside a number."""
    import spacy  # noqa: PLC0415
    from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine  # noqa: PLC0415

    blank = spacy.blank("xx")
    blank.max_length = 10_000_000

    class Tokenizer(NoOpNlpEngine):  # type: ignore[misc, unused-ignore]
        engine_name = "dragoman_tokenizer"

        def process_text(self, text: str, language: str) -> Any:
            words = blank.make_doc(text)
            return NlpArtifacts(
                entities=[],
                tokens=words,
                tokens_indices=[word.idx for word in words],
                lemmas=[word.lower_ for word in words],
                nlp_engine=self,
                language=language,
            )

    engine = Tokenizer(models=[{"lang_code": _ANY, "model_name": ""}])
    engine.load()
    return engine
