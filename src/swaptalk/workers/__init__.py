"""Processes and threads that work beside the one that asked: pools, their lifetime and memory."""
