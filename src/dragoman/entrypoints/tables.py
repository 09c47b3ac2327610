"""All tables of Dragoman in one MetaData: imported by the migrations and by the test that models == migrations."""

from __future__ import annotations

import dragoman.accounts.tables
import dragoman.chat.tables
import dragoman.connectors.tables
import dragoman.embeddings.tables
import dragoman.feedback.tables
import dragoman.generation.tables
import dragoman.insights.alerts.tables
import dragoman.insights.tables
import dragoman.jobs.tables
import dragoman.knowledge.tables
import dragoman.metering.tables
import dragoman.privacy.tables
import dragoman.search.tables
import dragoman.tenancy.tables
import dragoman.tenancy.tokens.tables
import dragoman.understanding.tables  # noqa: F401
from dragoman.kit.database import metadata

__all__ = ["metadata"]
