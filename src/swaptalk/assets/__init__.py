"""Third-party files: the catalogue of pinned files, their download, and the licences of everything
installed.
"""
