"""Signing identities: a self-made key, the user's certificate and key, or an external signer.

The certificates follow the profile of the C2PA Technical Specification 2.2, section 14.5 ("X.509
certificates"): version 3, the leaf is not its own issuer and no authority, key usage
digitalSignature, an extended key usage that verifiers accept for documents, subject and authority
key identifiers.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from swaptalk.errors import InputError, SwapTalkError

#: Moves the folder of the key made on first run.
CONFIG_VARIABLE = "SWAPTALK_CONFIG_DIR"
#: Key and certificates of this installation, in one file so that they can only appear together.
KEY_FILE = "self-signed.pem"
#: What verifiers show as the signer of a key that nobody vouches for.
SELF_SIGNED_NAME = "SwapTalk self-signed"
#: Without a time stamp a signature is only good while its certificate is; nobody could renew it in
#: a published file.
_LIFETIME = datetime.timedelta(days=20 * 365)
#: Clocks of other machines may be behind ours.
_BACKDATED = datetime.timedelta(days=1)

_ELLIPTIC: dict[str, tuple[str, hashes.HashAlgorithm, int]] = {
    "secp256r1": ("ES256", hashes.SHA256(), 32),
    "secp384r1": ("ES384", hashes.SHA384(), 48),
    "secp521r1": ("ES512", hashes.SHA512(), 66),
}


@dataclass(frozen=True)
class SigningIdentity:
    """Signs manifests.

    Give one to :class:`swaptalk.SwapTalk` to sign in a hardware module or a key service.
    """

    certificates: str
    """Certificate chain in PEM, leaf first; a self-signed root may be left out."""
    algorithm: str
    """ES256, ES384, ES512, PS256, PS384, PS512 or ED25519, as fits the key."""
    sign: Callable[[bytes], bytes]
    """Function that signs bytes; elliptic-curve signatures in IEEE P1363 form (r, then s)."""
    timestamp_url: str | None = None
    """RFC 3161 time-stamping service asked for every output; None for no time stamps."""

    @property
    def leaf(self) -> x509.Certificate:
        """Return the signer's own certificate.

        Raises:
            InputError: the chain is empty.
        """
        try:
            return x509.load_pem_x509_certificates(self.certificates.encode())[0]
        except ValueError as error:
            raise InputError(
                "holds no certificate", path="certificate", remedy="give a chain in PEM form"
            ) from error

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the signer's certificate."""
        return self.leaf.fingerprint(hashes.SHA256()).hex()


def config_directory() -> Path:
    """Return the folder of the self-made key and of the user's policy."""
    given = os.environ.get(CONFIG_VARIABLE)
    return Path(given) if given else Path(platformdirs.user_config_dir("swaptalk", appauthor=False))


def signing_identity(
    certificate: Path | None = None,
    key: Path | None = None,
    timestamp_url: str | None = None,
) -> SigningIdentity:
    """Load the user's certificate and key, or this installation's own, made on first use.

    Args:
        certificate: chain in PEM, leaf first.
        key: its private key in PEM, not encrypted.
        timestamp_url: RFC 3161 service.

    Raises:
        InputError: only one of the two is given, they do not fit together, or verifiers would
            refuse the certificate.
        SwapTalkError: the key could not be stored.
    """
    if timestamp_url is not None and not timestamp_url.startswith(("http://", "https://")):
        raise InputError(
            f"--timestamp-url {timestamp_url} is no web address", remedy="begin it with https://"
        )
    if certificate is None and key is None:
        path = config_directory() / KEY_FILE
        if not path.exists():
            _make_key(path)
        return _load(path, path, timestamp_url)
    if certificate is None or key is None:
        missing, given = ("--key", "--certificate") if key is None else ("--certificate", "--key")
        raise InputError(
            f"{given} without {missing}", remedy="give both, or none for a self-signed mark"
        )
    return _load(certificate, key, timestamp_url)


def own_authority() -> str | None:
    """Return the root certificate (PEM) of this installation's key; None before the first use."""
    try:
        certificates = x509.load_pem_x509_certificates((config_directory() / KEY_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return certificates[-1].public_bytes(serialization.Encoding.PEM).decode()


def _load(certificate: Path, key: Path, timestamp_url: str | None) -> SigningIdentity:
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            "is not a readable certificate",
            path=certificate,
            remedy="give a chain in PEM form, the signer's certificate first",
        ) from error
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            "is not a readable private key",
            path=key,
            remedy="give it in PEM form and without a password",
        ) from error
    if _public(private.public_key()) != _public(chain[0].public_key()):
        raise InputError(
            "is not the key of the certificate",
            path=key,
            remedy=f"give the one {certificate} is for",
        )
    _check_profile(chain[0], certificate)
    algorithm, sign = _signer(private, key)
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain).decode()
    return SigningIdentity(pem, algorithm, sign, timestamp_url)


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _check_profile(leaf: x509.Certificate, path: Path) -> None:
    """Refuse certificates that verifiers would refuse."""
    problem = None
    if leaf.issuer == leaf.subject:
        problem = "is its own issuer, which C2PA does not accept"
    elif leaf.not_valid_after_utc < datetime.datetime.now(datetime.timezone.utc):
        problem = f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}"
    else:
        try:
            leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound:
            problem = "has no extended key usage, which C2PA asks for"
    if problem:
        raise InputError(
            problem,
            path=path,
            remedy="get one for C2PA, document signing or e-mail protection, or leave out "
            "--certificate",
        )


def _signer(private: object, path: Path) -> tuple[str, Callable[[bytes], bytes]]:
    """Return the COSE algorithm for a key, and a function that signs with it."""
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _ELLIPTIC:
        name, digest, size = _ELLIPTIC[private.curve.name]

        def elliptic(data: bytes) -> bytes:
            r, s = decode_dss_signature(
                private.sign(data, ec.ECDSA(digest, deterministic_signing=True))
            )
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")

        return name, elliptic
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ED25519", private.sign
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048:
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
        return "PS256", lambda data: private.sign(data, salted, hashes.SHA256())
    raise InputError(
        "is of a kind that C2PA does not accept",
        path=path,
        remedy="use an elliptic-curve (P-256, P-384, P-521), Ed25519 or RSA key of at least 2048 "
        "bits",
    )


def _make_key(path: Path) -> None:
    """Make this installation's key and certificates; safe if two processes do it at once.

    The private key of the root is not kept.
    """
    authority, private = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    root_name = _name(f"{SELF_SIGNED_NAME} root")
    root = _certificate(root_name, root_name, authority.public_key(), authority, is_authority=True)
    leaf = _certificate(
        _name(SELF_SIGNED_NAME), root_name, private.public_key(), authority, is_authority=False
    )
    content = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content += b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root))
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # unlike a rename this leaves the key of a faster process alone
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            part.replace(path)
    except OSError as error:
        raise SwapTalkError(
            f"the signing key could not be stored ({error.strerror})",
            path=path,
            remedy=f"set {CONFIG_VARIABLE} to a folder you may write to, or give --certificate and "
            "--key",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, SELF_SIGNED_NAME),
            x509.NameAttribute(
                NameOID.ORGANIZATIONAL_UNIT_NAME, "identity not verified by anybody"
            ),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None),
            critical=True,
        )
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not is_authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True
        )
    return builder.sign(signer, hashes.SHA256())
