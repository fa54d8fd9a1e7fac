"""Renders that are disturbed at random moments."""
