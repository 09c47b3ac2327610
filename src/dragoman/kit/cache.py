"""What may be lost: small values under a key with an expiry, in Valkey (or Redis).

Nothing here is needed for a right answer. When Valkey does not answer, reads find nothing and writes do nothing;
both are counted in `dragoman_cache_errors_total`, and `/readyz` shows it.
"""

from __future__ import annotations

import redis.asyncio as redis
import structlog
from prometheus_client import Counter
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)
CACHE_ERRORS = Counter("dragoman_cache_errors_total", "Cache operations that failed because Valkey did not answer.")
CACHE_READS = Counter("dragoman_cache_reads_total", "Cache reads.", ["area", "result"])


class Cache:
    """Byte values under string keys. Every method is safe to call while Valkey is down."""

    def __init__(self, url: str) -> None:
        self._client: redis.Redis = redis.from_url(url, socket_connect_timeout=1.0, socket_timeout=1.0)

    @property
    def client(self) -> redis.Redis:
        """The raw client, for streams and pub/sub. Its calls raise `RedisError` when Valkey is down."""
        return self._client

    async def find(self, area: str, key: str) -> bytes | None:
        """The value, or None when it is absent, expired or Valkey does not answer."""
        try:
            value = await self._client.get(f"dragoman:{area}:{key}")
        except (RedisError, OSError) as error:
            _failed(error)
            return None
        CACHE_READS.labels(area, "miss" if value is None else "hit").inc()
        return value.encode() if isinstance(value, str) else value

    async def put(self, area: str, key: str, value: bytes, *, expires_after_s: int = 3600) -> None:
        try:
            await self._client.set(f"dragoman:{area}:{key}", value, ex=expires_after_s)
        except (RedisError, OSError) as error:
            _failed(error)

    async def is_reachable(self) -> bool:
        try:
            return bool(await self._client.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        await self._client.aclose()


def _failed(error: Exception) -> None:
    CACHE_ERRORS.inc()
    _log.warning("cache.unavailable", reason=str(error))
