"""What a language model writes passes here before anything else sees it: its prompt stays inside, and Markdown is made safe.

Model -> leaks (canary, instructions, secrets) -> datamarks undone -> fences put right -> Markdown made safe
-> the check against the sources
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import Counter

from dragoman.generation import prompts
from dragoman.generation.code_blocks import CodeBlocks, Part
from dragoman.generation.entities import GenerationRequest
from dragoman.generation.leaks import LeakGuard
from dragoman.generation.output import known_addresses
from dragoman.generation.phrases import i_do_not_know
from dragoman.kit.text.safe_markdown import SafeMarkdown

REMOVED = Counter(
    "dragoman_output_removed_total", "What was taken out of language models' answers before they were sent.", ["what"]
)


class Outlet:
    """Feed it what the model writes; it returns what may go on, and holds back as little as it can.

    Raises:
        PromptLeakError: from `feed` and `finish`.
    """

    def __init__(self, request: GenerationRequest) -> None:
        self._is_guarded = request.settings.prompt_leaks == "stop"
        self._guard = LeakGuard(
            request.system_message,
            rules=prompts.rules(),
            canary=request.marks.canary,
            may_say=(i_do_not_know(request.language),),
            known=lambda: "\n".join((request.question, *(p.found.chunk.text for p in request.found.passages))),
        )
        self._is_marked = request.settings.spotlighting == "datamark"
        self._blocks = CodeBlocks()
        self._markdown = SafeMarkdown(known_addresses(request))

    @property
    def removed(self) -> Mapping[str, int]:
        """How many things of which kind were taken out: `html`, `image`, `link`."""
        return self._markdown.removed

    def feed(self, piece: str) -> str:
        return self._shown(self._guard.feed(piece) if self._is_guarded else piece)

    def finish(self) -> str:
        rest = self._shown(self._guard.finish()) + self._safe(self._blocks.finish()) + self._markdown.finish()
        for what, count in self.removed.items():
            REMOVED.labels(what).inc(count)
        return rest

    def _shown(self, text: str) -> str:
        if self._is_marked:
            text = text.replace(prompts.DATAMARK, " ")
        return self._safe(self._blocks.feed(text)) if text else ""

    def _safe(self, parts: Sequence[Part]) -> str:
        text = "".join(part.text for part in parts)
        return self._markdown.feed(text) if text else ""
