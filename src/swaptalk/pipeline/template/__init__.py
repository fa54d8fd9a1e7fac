"""Templates: build, store, check and open analysed targets."""
