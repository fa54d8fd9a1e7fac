"""One file per metric; each works on arrays and states its formula, units, range and source."""
