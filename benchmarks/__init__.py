"""Measures speed, memory and quality: `make bench`, or `python -m benchmarks NAME…`. Figures go to docs/benchmarks.md."""
