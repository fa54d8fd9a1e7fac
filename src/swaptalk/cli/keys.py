"""``swaptalk keys add|list|remove``: the API keys of a server."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from swaptalk.errors import InputError
from swaptalk.serving.http.webhooks import webhook_secret
from swaptalk.serving.settings import data_folder
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.keys import KeyStore

LONGEST_NAME = 60


@dataclass(frozen=True, kw_only=True)
class _Server:
    data: Path | None = None
    """Data folder of the server; the user's data folder if left out."""


@dataclass(frozen=True, kw_only=True)
class Add(_Server):
    """Create a key and print it. It is shown only now."""

    name: tyro.conf.Positional[str]
    """Name of the person or program that uses it."""


@dataclass(frozen=True, kw_only=True)
class List(_Server):
    """List the keys: names, and when each was last used."""

    json: bool = False
    """Print JSON."""


@dataclass(frozen=True, kw_only=True)
class Remove(_Server):
    """Revoke a key."""

    name: tyro.conf.Positional[str]
    """Name of the key."""


@dataclass(frozen=True, kw_only=True)
class WebhookSecret(_Server):
    """Print the secret that webhooks are signed with, for their receivers."""


Options = (
    Annotated[Add, tyro.conf.subcommand("add")]
    | Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Remove, tyro.conf.subcommand("remove")]
    | Annotated[WebhookSecret, tyro.conf.subcommand("webhook-secret")]
)


def run(options: Add | List | Remove | WebhookSecret) -> int:
    """Run a subcommand; return the exit code."""
    data = DataFolder(data_folder(options.data))
    keys = KeyStore(data.database)
    if isinstance(options, WebhookSecret):
        print(webhook_secret(data.database))
    elif isinstance(options, Add):
        if not options.name.strip() or len(options.name) > LONGEST_NAME:
            raise InputError(
                "a key's name must have 1 to 60 characters", remedy="say who it is for"
            )
        print(keys.add(options.name))
    elif isinstance(options, Remove):
        keys.remove(options.name)
    elif options.json:
        print(
            json.dumps(
                [
                    {"name": key.name, "created": key.created, "used": key.used}
                    for key in keys.list()
                ]
            )
        )
    else:
        for key in keys.list():
            used = (
                "never"
                if key.used is None
                else time.strftime("%Y-%m-%d %H:%M", time.localtime(key.used))
            )
            print(
                f"{key.name}: made {time.strftime('%Y-%m-%d', time.localtime(key.created))}, last "
                f"used {used}"
            )
    return 0
