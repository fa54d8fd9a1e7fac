"""plan -> analyse -> generate -> write: the only place that knows the order of the work."""
