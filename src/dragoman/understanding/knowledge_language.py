"""The language that a chatbot's knowledge is in: the one set, or that of most of its shared, live chunks.

Within a process what was counted is kept for `KEPT_S`: while documents come in the revision changes with each, and a
handful of them does not change which language most are in.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Chatbot
from dragoman.understanding import repository

KEPT_S: Final = 60.0
_MOST_CHATBOTS: Final = 1024


async def knowledge_language(deps: Deps, chatbot: Chatbot) -> str | None:
    """ISO 639-1; None where `auto` finds nothing whose language is known.

    Raises:
        DatabaseUnavailableError.
    """
    chosen = tenancy.settings_of(chatbot).knowledge_language
    if chosen != "auto":
        return chosen
    kept = _counted.get(chatbot.id)
    if kept is not None and kept[0] > time.monotonic() and kept[1] is not None:
        return kept[1]
    async with deps.database.transaction(chatbot.tenant_id) as connection:
        language = await repository.find_main_language(connection, tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id)
    _counted[chatbot.id] = (time.monotonic() + KEPT_S, language)
    _counted.move_to_end(chatbot.id)
    while len(_counted) > _MOST_CHATBOTS:
        _counted.popitem(last=False)
    return language


_counted: Final[OrderedDict[UUID, tuple[float, str | None]]] = OrderedDict()
"""Of all tenants that this process serves: ids of chatbots are unique."""
