"""Geometry of faces: mesh topology, alignment, pose, smoothing, rasters."""
