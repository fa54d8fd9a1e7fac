"""Options of the server. The field docstrings are the help texts of the command line."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from swaptalk.errors import InputError
from swaptalk.inference.engines import Precision
from swaptalk.pipeline.options import Device, EngineOptions, narrowed

DEFAULT_PORT = 8710
#: Names under which a browser on this machine reaches a loopback address.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one user. A user is one API key; without keys there is one user."""

    max_upload_mb: int = 2000
    """Largest file that can be uploaded, in megabytes."""
    max_seconds: int = 3600
    """Longest video or recording that is accepted, in seconds."""
    max_pixels: int = 3840 * 2160
    """Largest picture that is accepted, in pixels (width times height)."""
    max_waiting: int = 20
    """Largest number of jobs that wait or run at the same time."""
    max_disk_gb: float = 20.0
    """Disk space for uploads and results, in gigabytes."""
    free_disk_gb: float = 1.0
    """Free disk space below which nothing is accepted, in gigabytes."""
    keep_days: float = 7.0
    """Days after which jobs, results and unused uploads are deleted."""

    @property
    def upload_bytes(self) -> int:
        """Largest upload in bytes."""
        return self.max_upload_mb * 1_000_000

    @property
    def disk_bytes(self) -> int:
        """Room for one user in bytes."""
        return int(self.max_disk_gb * 1e9)

    @property
    def reserve_bytes(self) -> int:
        """What must stay free on the disk in bytes."""
        return int(self.free_disk_gb * 1e9)

    @property
    def keep_seconds(self) -> float:
        """Time after which things are deleted, in seconds."""
        return self.keep_days * 86400


LogLevel = Literal["error", "warning", "info", "debug"]


@dataclass(frozen=True, kw_only=True)
class ServeOptions(Limits):
    """Options of ``swaptalk serve``."""

    host: str = "127.0.0.1"
    """Address to listen on. Addresses that others can reach need an API key: 'swaptalk keys'."""
    port: int = DEFAULT_PORT
    """Port to listen on; 0 takes a free one."""
    data: Path | None = None
    """Folder of uploads, jobs and results; the user's data folder if left out."""
    workers: int = 1
    """Processes that render; one more makes previews and inspects uploads."""
    attempts: int = 5
    """Attempts of a job whose process dies without finishing another chunk."""
    device: Device = "auto"
    """Engine or device of the networks; auto takes the fastest that is installed."""
    precision: Precision = "auto"
    """Precision of the networks: float32, bfloat16 or int8; auto takes the fastest here."""
    threads: int = 0
    """CPU threads of the networks of each worker; 0 shares the cores with other stages."""
    ray: str | None = None
    """Address of a Ray cluster (auto, HOST:PORT) to render on; needs swaptalk[cluster]."""
    models: Path | None = None
    """Folder of SwapTalk weights; the ones in the package if left out."""
    certificate: Path | None = None
    """Certificate chain (.pem, for C2PA) to sign with; self-signed if left out."""
    key: Path | None = None
    """Private key (.pem) of the certificate."""
    allowed_host: tuple[str, ...] = ()
    """Names of the server, such as video.example.org, if others can reach it."""
    webhook_host: tuple[str, ...] = ()
    """Hosts (name or name:port) to which webhooks may be sent."""
    public_url: str | None = None
    """Address of the server for links in webhooks, such as https://video.example.org."""
    open: bool = False
    """Open the page in a browser."""
    log_level: LogLevel = "warning"
    """What the log on standard error tells: errors, warnings, each job (info), or debug."""

    @property
    def folder(self) -> Path:
        """The data folder after the default has been applied."""
        return data_folder(self.data)

    @property
    def engine(self) -> EngineOptions:
        """The engine of each worker."""
        return narrowed(self, EngineOptions)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        return is_loopback(self.host)

    def check_values(self) -> None:
        """Refuse values out of range.

        Raises:
            InputError: naming the option and what it takes.
        """
        for option, value, low, high in (
            ("--port", self.port, 0, 65535),
            ("--workers", self.workers, 1, 64),
            ("--attempts", self.attempts, 1, 1000),
            ("--threads", self.threads, 0, 1024),
        ):
            if not low <= value <= high:
                raise InputError(
                    f"{option} {value} is out of range",
                    remedy=f"give a number from {low} to {high}",
                )
        for option, amount in (
            ("--max-upload-mb", self.max_upload_mb),
            ("--max-seconds", self.max_seconds),
            ("--max-pixels", self.max_pixels),
            ("--max-waiting", self.max_waiting),
            ("--max-disk-gb", self.max_disk_gb),
            ("--keep-days", self.keep_days),
        ):
            if not amount > 0:
                raise InputError(
                    f"{option} {amount} is out of range", remedy="give a number above 0"
                )
        if self.public_url is not None and not self.public_url.startswith(("http://", "https://")):
            raise InputError(
                f"--public-url {self.public_url} is no address",
                remedy="begin it with https:// or http://",
            )


def data_folder(folder: Path | None) -> Path:
    """The folder given, or ``SWAPTALK_DATA_DIR``, or the user's data folder."""
    if folder is not None:
        return folder
    named = os.environ.get("SWAPTALK_DATA_DIR")
    return (
        Path(named)
        if named
        else Path(platformdirs.user_data_dir("swaptalk", appauthor=False)) / "server"
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own and nobody else's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
