"""The MCP server: its tools, over whichever transport. Importing this loads the MCP SDK (0.6 s and 14 MiB in the API).

Each tool is a call of the typed client, so that permissions, limits and errors are those of the HTTP API.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

import dragoman
from dragoman.client import Answer, ClientError, Document, Dragoman, Passage

McpContext: TypeAlias = Context[dict[str, Any], Any]
Connect: TypeAlias = Callable[[McpContext], AbstractAsyncContextManager[Dragoman]]
"""Opens the client that a call of a tool uses, as whoever makes it."""

_INSTRUCTIONS: Final = (
    "Knowledge of an organisation, in documents of many languages. `ask` answers a question with quotations and their "
    "sources; `search` finds passages; `list_documents` tells what there is. Cite document and page when you use them."
)
_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS: Final = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)

Chatbot = Annotated[
    str | None, Field(description="Id or name of the chatbot whose documents are meant; without it your default.")
]
Language = Annotated[
    str | None,
    Field(
        description="ISO 639-1 code, taken where the text's own language cannot be told.", min_length=2, max_length=8
    ),
]


class FoundPassage(BaseModel):
    rank: int
    content: str
    title: str = Field(description="Of the document.")
    document_id: UUID
    chunk_id: UUID
    page: int | None
    headings: list[str] = Field(description="Those above the passage, the outermost first.")
    language: str
    similarity_score: float = Field(description="From 0 to 1.")

    @classmethod
    def of(cls, passage: Passage) -> FoundPassage:
        return cls(
            rank=passage.rank,
            content=passage.content,
            title=passage.title,
            document_id=passage.document_id,
            chunk_id=passage.chunk_id,
            page=passage.page,
            headings=passage.heading_path,
            language=passage.language,
            similarity_score=passage.similarity_score,
        )


class SearchOutput(BaseModel):
    passages: list[FoundPassage]
    total: int = Field(description="Passages found, on all pages.")
    language: str = Field(description="Of the query.")
    degraded: list[str] = Field(description="What was skipped or replaced; empty when all went as planned.")


class AnswerSource(BaseModel):
    number: int = Field(description="The marker in the answer: 1 for [1].")
    quote: str = Field(description="The words as they stand in the document.")
    title: str
    document_id: UUID
    page: int | None
    headings: list[str]
    similarity_score: float


class AskOutput(BaseModel):
    answer: str
    answered: bool = Field(description="False when the documents do not answer the question.")
    confidence: float | None = Field(description="0 to 1: how likely the sources answer the question.")
    language: str | None
    sources: list[AnswerSource]
    session_id: UUID = Field(description="Give it with the next question to go on with this conversation.")
    grounding: dict[str, Any] = Field(description="How the answer is supported by its sources.")
    cost_usd: float
    degraded: list[str] = Field(description="What was skipped or replaced; empty when all went as planned.")

    @classmethod
    def of(cls, answer: Answer) -> AskOutput:
        sources = [
            AnswerSource(
                number=source.number,
                quote=source.excerpt,
                title=source.title,
                document_id=source.doc_id,
                page=source.page,
                headings=source.heading_path,
                similarity_score=source.similarity_score,
            )
            for source in answer.sources
        ]
        return cls(
            answer=answer.content,
            answered=answer.answered,
            confidence=answer.confidence,
            language=answer.language,
            sources=sources,
            session_id=answer.session_id,
            grounding=answer.grounding,
            cost_usd=answer.usage.cost_usd,
            degraded=answer.degraded,
        )


class ListedDocument(BaseModel):
    id: UUID
    title: str
    file_name: str
    state: str = Field(description="Only `ready` ones are found by searches.")
    language: str | None
    pages: int | None
    category: str
    tags: list[str]
    source_url: str | None

    @classmethod
    def of(cls, document: Document) -> ListedDocument:
        return cls(**{name: getattr(document, name) for name in cls.model_fields})


class DocumentsOutput(BaseModel):
    documents: list[ListedDocument] = Field(description="The newest first.")
    total: int = Field(description="Documents that fit, listed or not.")


def make_server(connect: Connect) -> MCPServer[Any]:
    """A server whose tools ask Dragoman through the client that `connect` opens."""
    logging.getLogger("mcp").setLevel(logging.WARNING)  # a line for each step of each request otherwise
    server: MCPServer[Any] = MCPServer(
        "dragoman",
        title="Dragoman",
        instructions=_INSTRUCTIONS,
        version=dragoman.__version__,
        log_level="WARNING",
        subscriptions=False,
    )

    @server.tool(title="Search the documents", annotations=_READS)
    async def search(
        context: McpContext,
        query: Annotated[str, Field(description="What to look for, in any language.", min_length=1, max_length=8000)],
        max_results: Annotated[int, Field(description="Passages to return.", ge=1, le=50)] = 5,
        filter: Annotated[  # noqa: A002 - as the API says
            str | None, Field(description="Such as `language:de,fr -tags:internal date>=2025-01-01`.")
        ] = None,
        language: Language = None,
        chatbot: Chatbot = None,
    ) -> SearchOutput:
        """Find the passages of the documents that are nearest to a question or to words, in any language."""
        async with _connected(connect, context) as client:
            found = await client.search(
                query,
                max_results=max_results,
                filter=filter,
                language=language,
                chatbot_id=await _chatbot_id(client, chatbot),
            )
        return SearchOutput(
            passages=[FoundPassage.of(passage) for passage in found.results],
            total=found.total_results,
            language=found.language,
            degraded=found.degraded,
        )

    @server.tool(title="Ask the documents", annotations=_ADDS)
    async def ask(
        context: McpContext,
        question: Annotated[str, Field(description="In any language.", min_length=1, max_length=8000)],
        session_id: Annotated[
            UUID | None, Field(description="Of an earlier answer, to go on with its conversation.")
        ] = None,
        language: Language = None,
        chatbot: Chatbot = None,
    ) -> AskOutput:
        """Answer a question from the documents, with the quotations that support the answer.

        Says so (`answered` is false) when the documents do not answer it.
        """
        async with _connected(connect, context) as client:
            if session_id is None:
                session_id = (await client.sessions.create(chatbot_id=await _chatbot_id(client, chatbot))).id
            return AskOutput.of(await client.messages.send(session_id, question, language=language))

    @server.tool(title="List the documents", annotations=_READS)
    async def list_documents(
        context: McpContext,
        search: Annotated[
            str | None, Field(description="Words of the title, the file name or the tags.", max_length=200)
        ] = None,
        max_results: Annotated[int, Field(description="Documents to list.", ge=1, le=200)] = 50,
        chatbot: Chatbot = None,
    ) -> DocumentsOutput:
        """List the documents that can be searched, with title, language and state."""
        async with _connected(connect, context) as client:
            chatbot_id = await _chatbot_id(client, chatbot)
            total = await client.documents.count(chatbot_id=chatbot_id, search=search)
            listed: list[ListedDocument] = []
            async for document in client.documents.list(chatbot_id=chatbot_id, search=search):
                listed.append(ListedDocument.of(document))
                if len(listed) == max_results:
                    break
        return DocumentsOutput(documents=listed, total=total)

    return server


@asynccontextmanager
async def _connected(connect: Connect, context: McpContext) -> AsyncIterator[Dragoman]:
    """The client. What it cannot do is told to the model as the result of the tool, not as a broken connection."""
    try:
        async with connect(context) as client:
            yield client
    except ClientError as error:
        raise ToolError(str(error)) from error


async def _chatbot_id(client: Dragoman, id_or_name: str | None) -> str | None:
    """Raises ToolError: there is no such chatbot, or several of the name."""
    if id_or_name is None:
        return None
    chatbots = [chatbot async for chatbot in client.chatbots.list()]
    fitting = [str(chatbot.id) for chatbot in chatbots if id_or_name in (str(chatbot.id), chatbot.name)]
    if len(fitting) != 1:
        names = ", ".join(sorted(repr(chatbot.name) for chatbot in chatbots))
        many = f"{len(fitting)} chatbots are" if fitting else "No chatbot is"
        raise ToolError(f"{many} named {id_or_name!r}. There are: {names}. Give the id where a name is not enough.")
    return fitting[0]
