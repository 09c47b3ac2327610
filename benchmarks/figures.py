"""How figures are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Show = Callable[[str, object], None]
"""Prints a figure with its name."""


def show(name: str, value: object) -> None:
    print(f"{name}: {value}", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def p50_p95(milliseconds: Sequence[float]) -> str:
    return f"p50 {percentile(milliseconds, 0.5):.1f} ms, p95 {percentile(milliseconds, 0.95):.1f} ms"
