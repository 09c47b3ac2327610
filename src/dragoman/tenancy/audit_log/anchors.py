"""Where the heads of chains are kept outside the database, so that a tail that was cut off is missed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from uuid import UUID

from dragoman.kit.errors import InvalidSettingError
from dragoman.tenancy.audit_log.entities import Head, head_as_json, head_from_json


class UnreadableAnchorError(InvalidSettingError):
    """The head of an audit chain that is kept outside the database cannot be read. Restore the file from a backup."""

    code = "audit.unreadable_anchor"


class Anchors:
    """The last head of each tenant, a file each, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, tenant_id: UUID) -> Head | None:
        """Raises UnreadableAnchorError."""
        return self._read(self._path(tenant_id))

    def find_all(self, tenant_id: UUID) -> list[Head]:
        """The last head, and those that the database contradicted. Raises UnreadableAnchorError."""
        last = self.find(tenant_id)
        contradicted = [self._read(path) for path in sorted(self._folder.glob(f"{tenant_id}-*.json"))]
        return [head for head in (last, *contradicted) if head is not None]

    def _read(self, path: Path) -> Head | None:
        try:
            return head_from_json(json.loads(path.read_text("ascii")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnreadableAnchorError(
                f"The head of the audit chain in {path} cannot be read: {error}. Restore the file from a backup."
            ) from error

    def set_aside(self, tenant_id: UUID) -> None:
        """Keep the last head as evidence: the chain in the database does not reach it any more. Raises OSError."""
        head = self.find(tenant_id)
        if head is not None:
            self._path(tenant_id).rename(self._folder / f"{tenant_id}-{head.sequence}-{head.hash.hex()[:16]}.json")

    def keep(self, head: Head) -> None:
        """Put the head in the place of the one before, in one step. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".head-")  # mode 600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump(head_as_json(head), file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path(head.tenant_id))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _path(self, tenant_id: UUID) -> Path:
        return self._folder / f"{tenant_id}.json"
