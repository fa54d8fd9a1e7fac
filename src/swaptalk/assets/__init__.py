"""Third-party files: catalogue of pinned files, download, licences."""
