"""Marks of outputs: signed manifest, invisible watermark, label, consent; writing and reading."""
