"""The messages of a session as a tree, of which a conversation is one branch.

A question follows the message before it; an answer follows its question. Of messages that follow the same one and are
said by the same side, one is an alternative of the other: a question asked anew, an answer written anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from dragoman.chat.entities import AuthorRole, Link


class Tree:
    """Of all messages of a session, given the oldest first."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links: Mapping[UUID, Link] = {link.id: link for link in links}
        self._children: defaultdict[UUID | None, list[UUID]] = defaultdict(list)
        for link in links:
            self._children[link.parent_id].append(link.id)

    def branch(self, leaf_id: UUID | None) -> list[UUID]:
        """The messages that lead to this one, the first of the conversation first; None: to the latest."""
        found: list[UUID] = []
        latest = list(self._links.values())[-1:]
        at = self._links.get(leaf_id) if leaf_id is not None else None
        at = at or (latest[0] if latest else None)
        while at is not None:
            found.append(at.id)
            at = None if at.parent_id is None else self._links.get(at.parent_id)
        return found[::-1]

    def end_of(self, message_id: UUID) -> UUID:
        """Where the conversation that goes on from this message ends: each step the latest."""
        while children := self._children.get(message_id):
            message_id = children[-1]
        return message_id

    def alternatives(self, message_id: UUID) -> list[UUID]:
        """This message and what was said in its place, the oldest first."""
        link = self._links[message_id]
        beside = self._children[link.parent_id]
        return [other for other in beside if _side(self._links[other].role) == _side(link.role)]


def _side(role: AuthorRole) -> bool:
    return role is AuthorRole.USER
