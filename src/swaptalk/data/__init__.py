"""Footage to training batches: preparation, dataset folder, latent cache, samplers."""
