"""Ablations of the paper's choices at small scale; run ``python -m benchmarks.ablations``."""
