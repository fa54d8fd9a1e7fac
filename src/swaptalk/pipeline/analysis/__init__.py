"""The first pass: find, follow and align faces; read the source photos."""
