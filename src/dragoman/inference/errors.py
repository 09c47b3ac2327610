"""Errors of inference."""

from __future__ import annotations

from dragoman.kit.errors import InvalidRequestError, UnavailableError
from dragoman.ports.embedder import EmbedderUnavailableError
from dragoman.ports.judge import JudgeUnavailableError
from dragoman.ports.llm import LlmUnavailableError
from dragoman.ports.reranker import RerankerUnavailableError
from dragoman.ports.translator import TranslatorUnavailableError


class EmbedderTimeoutError(EmbedderUnavailableError):
    """The embedding model took too long. It may be overloaded; the answer was made without it where possible."""

    code = "inference.embedder_timeout"
    is_outage = False


class LlmTimeoutError(LlmUnavailableError):
    """The language model took too long. The answer was made without it where possible."""

    code = "inference.llm_timeout"


class RerankerTimeoutError(RerankerUnavailableError):
    """The re-ranker took too long. The search was answered in the order it had before."""

    code = "inference.reranker_timeout"


class UnknownRerankerError(UnavailableError):
    """No such re-ranker exists in this installation. The reference of adapters lists those that do."""

    code = "inference.unknown_reranker"


class RerankerNotSetUpError(InvalidRequestError):
    """This installation cannot ask that re-ranker: it is not known, or not set up. `GET /api/search/rerankers` lists those
    that can be asked; an operator sets up others."""

    code = "inference.reranker_not_set_up"


class JudgeTimeoutError(JudgeUnavailableError):
    """The judge took too long. The answer's sentences were checked without it."""

    code = "inference.judge_timeout"


class UnknownJudgeError(UnavailableError):
    """No such judge exists in this installation. The reference of adapters lists those that do."""

    code = "inference.unknown_judge"


class TranslatorTimeoutError(TranslatorUnavailableError):
    """The translator took too long. What was to be translated is shown in its own language."""

    code = "inference.translator_timeout"


class UnknownTranslatorError(UnavailableError):
    """No such translator exists in this installation. The reference of adapters lists those that do."""

    code = "inference.unknown_translator"


class CircuitOpenError(UnavailableError):
    """This model has failed several times in a row and is left alone for some seconds."""

    code = "inference.circuit_open"
    is_outage = True


class UnknownModelError(UnavailableError):
    """No such answerer is set up in this installation. See `DRAGOMAN_LLM` in the reference of settings."""

    code = "inference.unknown_model"
