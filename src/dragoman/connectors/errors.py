"""Errors of connectors."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, InvalidRequestError, NotFoundError


class ConnectorNotFoundError(NotFoundError):
    """There is no connector with this id. `GET /api/chatbot/connectors/` lists yours."""

    code = "connectors.not_found"


class SyncNotFoundError(NotFoundError):
    """The connector has no sync with this id. `GET /api/chatbot/connectors/{id}/syncs/` lists them."""

    code = "connectors.sync_not_found"


class UnknownConnectorKindError(InvalidRequestError):
    """There is no connector of this kind here. The message lists those there are."""

    code = "connectors.unknown_kind"


class InvalidConnectorSettingsError(InvalidRequestError):
    """A setting of the connector is missing, unknown or wrong. See the connector's page in the reference of adapters."""

    code = "connectors.invalid_settings"


class SecretsNeededError(InvalidRequestError):
    """The address of the connector changes, so its secrets must be given again: they are sent nowhere they were not meant for."""

    code = "connectors.secrets_needed"


class SyncRunningError(ConflictError):
    """A sync of this connector is running already. Wait for its end, then start another."""

    code = "connectors.sync_running"


class ConnectorPausedError(ConflictError):
    """This connector is paused. Resume it first: `PATCH` it with `is_paused` false."""

    code = "connectors.paused"
