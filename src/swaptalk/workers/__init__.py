"""Worker processes and threads: pools, their lifetime and memory."""
