"""A talking head large enough to carry a mark, keys of strangers, and what others do to videos."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from numpy.typing import NDArray

from swaptalk.media.image import read_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter

Frames = list[NDArray[np.uint8]]


@pytest.fixture(scope="session")
def head(other_photo: Path) -> Frames:
    """24 frames, 848 x 480: a photograph under a drifting camera, with grain."""
    photo = cv2.resize(read_image(other_photo)[:400, 20:], (900, 732), interpolation=cv2.INTER_AREA)
    random = np.random.default_rng(5)
    frames = []
    for index in range(24):
        x, y = round(20 + 5 * np.sin(index / 9)), round(40 + 4 * np.cos(index / 12))
        grain = random.normal(0, 1, (480, 848, 1))
        frames.append(np.clip(photo[y : y + 480, x : x + 848] + grain, 0, 255).astype(np.uint8))
    return frames


@pytest.fixture
def recode(tmp_path: Path) -> Callable[..., Frames]:
    """Encode frames as H.264 and decode them again, scaled if a size is given."""

    def run(
        frames: Frames, crf: float, size: tuple[int, int] | None = None, name: str = "recoded.mp4"
    ) -> Frames:
        width, height = size or (frames[0].shape[1], frames[0].shape[0])
        with VideoWriter(tmp_path / name, width, height, 25, quality=crf) as writer:
            for frame in frames:
                kind = cv2.INTER_AREA if width < frame.shape[1] else cv2.INTER_CUBIC
                writer.write(frame if size is None else cv2.resize(frame, size, interpolation=kind))
        with VideoReader(tmp_path / name) as reader:
            return list(reader.frames())

    return run


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(
    name: str,
    issuer: str,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    authority: bool = False,
) -> x509.Certificate:
    """A certificate for ten days; of an authority, or to sign files with."""

    def names(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])

    now = datetime.datetime.now(datetime.timezone.utc)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(names(name))
        .issuer_name(names(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                key_cert_sign=authority,
                crl_sign=authority,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if not authority:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usages, critical=False)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture(scope="session")
def agency(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Certificate, key and authority of a stranger, as files."""
    folder = tmp_path_factory.mktemp("agency")
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())

    root = _certificate("Agency Root", "Agency Root", root_key.public_key(), root_key, True)
    leaf = _certificate("Example Agency", "Agency Root", key.public_key(), root_key)
    paths = {
        name: folder / f"{name}.pem" for name in ("certificate", "key", "authority", "own-issuer")
    }
    paths["certificate"].write_bytes(_pem(leaf) + _pem(root))
    paths["authority"].write_bytes(_pem(root))
    paths["own-issuer"].write_bytes(
        _pem(_certificate("Agency Root", "Agency Root", key.public_key(), root_key))
    )
    paths["key"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
