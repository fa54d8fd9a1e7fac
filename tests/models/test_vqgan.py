import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.models.vqgan import VQGAN, VQGANConfig  # noqa: E402

TINY = VQGANConfig(
    encoder_widths=(8, 12, 16),
    encoder_blocks=(1, 1, 1),
    decoder_widths=(8, 12, 16),
    decoder_blocks=(1, 1, 1),
    latent_channels=8,
    codebook_heads=4,
    codebook_size=16,
)


@pytest.fixture
def autoencoder() -> VQGAN:
    torch.manual_seed(0)
    model = VQGAN(TINY)
    for parameter in model.parameters():
        if not parameter.abs().sum():  # residual branches start at zero: give them something to do
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def faces(n: int = 2) -> "torch.Tensor":
    return torch.rand(n, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_shapes(autoencoder: VQGAN) -> None:
    result = autoencoder(faces())
    assert result.latents.shape == (2, 8, 16, 16)
    assert result.picture.shape == (2, 3, 256, 256)
    assert result.commitment.shape == ()
    assert autoencoder.quantizer.encode(result.latents).shape == (2, 4, 16, 16)


def test_the_upper_half_knows_nothing_of_the_lower_and_the_reverse(autoencoder: VQGAN) -> None:
    changed = faces()
    changed[:, :, 128:] = -changed[:, :, 128:]
    a, b = autoencoder.encode(faces()), autoencoder.encode(changed)
    assert torch.equal(a[:, :, :8], b[:, :, :8])
    assert not torch.allclose(a[:, :, 8:], b[:, :, 8:])
    x = faces().requires_grad_()
    autoencoder.encode(x)[:, :, 8:].abs().sum().backward()
    assert x.grad is not None
    assert not x.grad[:, :, :128].any() and x.grad[:, :, 128:].any()


def test_both_halves_share_the_encoder(autoencoder: VQGAN) -> None:
    face = faces()
    face[:, :, 128:] = face[:, :, :128]
    upper, lower = autoencoder.encode(face).chunk(2, dim=2)
    assert torch.allclose(upper, lower, atol=1e-6)


def test_a_face_does_not_depend_on_its_batch(autoencoder: VQGAN) -> None:
    both = autoencoder.encode(faces())
    assert torch.allclose(both[1:], autoencoder.encode(faces()[1:]), atol=1e-5)


def test_share_of_quantised_pictures(autoencoder: VQGAN) -> None:
    none, every = autoencoder(faces(), 0.0), autoencoder(faces(), 1.0)
    assert torch.equal(none.picture, autoencoder.decode(none.latents))
    codes = autoencoder.quantizer.encode(every.latents)
    assert torch.allclose(
        every.picture, autoencoder.decode(autoencoder.quantizer.decode(codes)), atol=1e-4
    )
    torch.manual_seed(0)
    some = autoencoder(faces(16), 0.5).picture
    plain = autoencoder(faces(16), 0.0).picture
    equal = [torch.allclose(a, b, atol=1e-6) for a, b in zip(some, plain, strict=True)]
    assert 2 < sum(equal) < 14


def test_without_quantising_the_codebooks_wait(autoencoder: VQGAN) -> None:
    autoencoder.train()
    autoencoder(faces(), 0.0)
    assert not autoencoder.quantizer.upper.ready
    autoencoder(faces(), 1.0)
    assert autoencoder.quantizer.upper.ready


@pytest.mark.parametrize(("widths", "factor"), [((8, 12), 8), ((8, 12, 16), 16)])
def test_down_sampling_of_the_ablation(widths: tuple[int, ...], factor: int) -> None:
    blocks = (1,) * len(widths)
    config = VQGANConfig(
        encoder_widths=widths,
        encoder_blocks=blocks,
        decoder_widths=widths,
        decoder_blocks=blocks,
        latent_channels=8,
        codebook_heads=4,
        codebook_size=16,
    )
    assert config.downsampling == factor
    model = VQGAN(config).eval()
    latents = model.encode(faces(1))
    assert latents.shape[-1] == 256 // factor
    assert model.decode(latents).shape == (1, 3, 256, 256)


def test_a_frozen_encoder_gives_the_same_embeddings_after_training_the_decoder(
    autoencoder: VQGAN,
) -> None:
    before = {name: value.clone() for name, value in autoencoder.state_dict().items()}
    autoencoder.freeze_encoder()
    autoencoder.train()
    optimizer = torch.optim.SGD([p for p in autoencoder.parameters() if p.requires_grad], lr=0.1)
    autoencoder(faces(), 0.5).picture.mean().backward()
    optimizer.step()
    changed = {
        n.split(".")[0]
        for n, v in autoencoder.state_dict().items()
        if not torch.equal(v, before[n])
    }
    assert changed == {"decoder"}
    assert (
        autoencoder.decoder.training
        and not autoencoder.encoder.training
        and not autoencoder.quantizer.training
    )
