"""Measures talking-face video the way the field does: metrics, protocols, rows and the report."""
