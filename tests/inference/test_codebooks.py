import numpy as np
import pytest

from swaptalk.inference.codebooks import Codebooks

RNG = np.random.default_rng(0)
BOOKS = RNG.standard_normal((2, 3, 50, 4)).astype(np.float32)


def test_codes_are_the_nearest_of_each_half() -> None:
    latents = RNG.standard_normal((2, 12, 4, 5)).astype(np.float32)
    codes = Codebooks(BOOKS).quantize(latents)
    assert codes.shape == (2, 3, 4, 5)
    for n, head, row, column in np.ndindex(codes.shape):
        feature = latents[n, 4 * head : 4 * head + 4, row, column]
        distances = ((BOOKS[int(row >= 2), head] - feature) ** 2).sum(axis=1)
        assert codes[n, head, row, column] == distances.argmin()


def test_codes_survive_the_way_there_and_back() -> None:
    codes = RNG.integers(0, 50, (2, 3, 4, 5)).astype(np.uint8)
    books = Codebooks(BOOKS)
    np.testing.assert_array_equal(books.quantize(books.embed(codes)), codes)


def test_the_same_codes_as_in_training() -> None:
    torch = pytest.importorskip("torch")
    from swaptalk.models.quantizer import TwoCodebookQuantizer

    quantizer = TwoCodebookQuantizer(12, 3, 50).eval()
    for half, book in zip((quantizer.upper, quantizer.lower), BOOKS, strict=True):
        half.codebook.copy_(torch.from_numpy(book))
    latents = RNG.standard_normal((4, 12, 8, 8)).astype(np.float32)
    codes = quantizer.encode(torch.from_numpy(latents))
    books = Codebooks(BOOKS)
    np.testing.assert_array_equal(books.quantize(latents), codes.numpy())
    np.testing.assert_array_equal(
        books.embed(codes.numpy().astype(np.uint8)), quantizer.decode(codes).numpy()
    )


def test_more_codes_than_a_byte_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="257"):
        Codebooks(np.zeros((2, 1, 257, 4), np.float32))
