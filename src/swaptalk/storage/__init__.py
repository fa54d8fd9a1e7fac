"""Files: input checks, atomic output, the cache folder, per-frame records."""
