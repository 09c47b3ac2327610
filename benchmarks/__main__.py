"""`python -m benchmarks [NAME…]`: all measurements, or those named."""

from __future__ import annotations

import sys

from benchmarks.measures import MEASURES, machine, show


def main() -> None:
    names = sys.argv[1:] or list(MEASURES)
    unknown = set(names) - set(MEASURES)
    if unknown:
        sys.exit(f"No such measurement: {', '.join(sorted(unknown))}. There are: {', '.join(MEASURES)}.")
    show("machine", machine())
    for name in names:
        print(f"\n# {name}: {MEASURES[name].__doc__}")
        MEASURES[name]()


main()
