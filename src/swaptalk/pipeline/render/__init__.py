"""The second pass: generate, mark and write frames."""
