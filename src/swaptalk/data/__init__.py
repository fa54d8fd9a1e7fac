"""From footage to training batches: preparation, the dataset folder, latent cache and samplers."""
