"""Many jobs from one table: on this machine's processes or on a Ray cluster."""
