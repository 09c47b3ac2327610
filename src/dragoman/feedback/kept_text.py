"""Text of questions and answers for those who look after a chatbot: as much of it as its `query_log` keeps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.ingestion.pii import PiiChoice, Placeholders, mask_line
from dragoman.kit.errors import DragomanError
from dragoman.ports.pii_detector import PiiDetector
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller

_log = structlog.get_logger(__name__)


class KeptText:
    """How much of a text each chatbot lets be shown."""

    def __init__(self, detectors: Sequence[PiiDetector], query_logs: Mapping[UUID, str]) -> None:
        self._detectors, self._query_logs = detectors, query_logs

    @classmethod
    async def of(
        cls, deps: Deps, connection: AsyncConnection, caller: Caller, chatbot_ids: Collection[UUID]
    ) -> KeptText:
        chatbots = [await tenancy.find_chatbot(connection, caller, chatbot_id) for chatbot_id in sorted(chatbot_ids)]
        logs = {chatbot.id: tenancy.settings_of(chatbot).query_log for chatbot in chatbots if chatbot is not None}
        return cls(deps.pii_detectors, logs)

    async def shown(self, chatbot_id: UUID, text: str | None, language: str) -> str | None:
        """The text; with personal data masked; or None where the chatbot keeps none."""
        query_log = self._query_logs.get(chatbot_id, "off")
        if text is None or query_log == "full":
            return text
        if query_log != "masked":
            return None
        try:
            return await mask_line(
                self._detectors, text, language=language, choice=PiiChoice(mode="mask"), placeholders=Placeholders()
            )
        except DragomanError as error:
            _log.warning("feedback.text_not_masked", reason=error.message)
            return None
