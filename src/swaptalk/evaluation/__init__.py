"""Evaluation of talking-face video: protocols, methods, measuring, report."""
