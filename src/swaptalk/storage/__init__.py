"""What is kept on disk: checked input files, files that appear whole or not at all, the cache
folder, rows and frames.
"""
