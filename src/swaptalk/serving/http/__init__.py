"""The HTTP side of the server: application, guards, uploads, events, schemas."""
