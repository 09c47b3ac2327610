"""Errors of searches and of what became of them."""

from __future__ import annotations

from dragoman.kit.errors import InvalidRequestError, NotFoundError


class SearchNotFoundError(NotFoundError):
    """There is no such search of yours. Take `search_id` from its answer; a chatbot that keeps no query log has none."""

    code = "search.search_not_found"


class ResultNotFoundError(NotFoundError):
    """This search did not show that result. Take `rank` or `chunk_id` from its answer."""

    code = "search.result_not_found"


class InvalidPeriodError(InvalidRequestError):
    """These days are no period. `from` comes before `to`, and at most 400 days lie between them."""

    code = "search.invalid_period"
