"""Targets that are analysed once: built, stored, checked and opened."""
