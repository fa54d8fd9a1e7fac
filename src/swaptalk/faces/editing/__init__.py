"""Changing faces in pictures: mesh warp, composite, turn, masks, occlusion, eyewear."""
