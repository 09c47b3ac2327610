"""No mail server: writes each mail to the log, where the operator finds the link and passes it on."""

from __future__ import annotations

import structlog
from pydantic import BaseModel, ConfigDict

from dragoman.ports.mailer import Mail

_log = structlog.get_logger(__name__)


class Settings(BaseModel):
    """The mailer `log` has no settings."""

    model_config = ConfigDict(extra="forbid")


class Adapter:
    """The mailer `log`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def reaches_people(self) -> bool:
        return False

    async def send(self, mail: Mail) -> None:
        _log.warning("mailer.not_mailed", to=mail.to, subject=mail.subject, text=mail.text)
