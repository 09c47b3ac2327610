"""A plugin of detect-secrets that knows our own API keys."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class DragomanKeyDetector(RegexBasedDetector):
    """`dgm_` and 32 random bytes, as `access.new_secret` makes them."""

    secret_type = "Dragoman API key"  # noqa: S105 - a name
    denylist = (re.compile(r"\bdgm_[A-Za-z0-9_-]{43}\b"),)
