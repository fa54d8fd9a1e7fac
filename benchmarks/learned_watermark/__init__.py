"""A tiny learned watermark, to compare the shipped one with: same bits, pictures, strength and
attacks.

    python -m benchmarks.learned_watermark train --data DATASET --out runs/learned-watermark
    --cpu-minutes 20 python -m benchmarks.learned_watermark measure --out runs/learned-watermark
    # adds to what is there python -m benchmarks.learned_watermark cost
    python -m benchmarks.learned_watermark picture
    python -m benchmarks.learned_watermark report

DATASET is what ``swaptalk prepare`` writes. Nothing of this is part of the product.
"""
