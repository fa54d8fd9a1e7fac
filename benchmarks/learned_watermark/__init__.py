"""A tiny learned watermark to compare with ours: same bits, pictures, strength and attacks.

    python -m benchmarks.learned_watermark train --data DATASET --out FOLDER --cpu-minutes 20
    python -m benchmarks.learned_watermark measure --out FOLDER  # adds to what is there
    python -m benchmarks.learned_watermark cost
    python -m benchmarks.learned_watermark picture
    python -m benchmarks.learned_watermark report

DATASET is a folder of ``swaptalk prepare``. Nothing of this is part of the product.
"""
