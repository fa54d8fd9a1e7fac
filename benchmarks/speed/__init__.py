"""How fast the pipeline is, from file to file, and how its cost grows: ``make bench``."""
