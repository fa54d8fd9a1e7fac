"""The template file: a ZIP archive without compression, a JSON header, and a SHA-256 of every
member.

Nothing in a file is believed: names, sizes and sums are checked before a byte of a member is used,
there is no compression to expand and nothing that runs.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from swaptalk.pipeline.template.header import (
    TEMPLATE_FORMAT,
    Member,
    TemplateHeader,
    damaged,
    one_line,
    parse_header,
)
from swaptalk.storage.files import AtomicFile, check_input_file

TEMPLATE_SUFFIX = ".swaptalk"
_HEADER = "template.json"
#: A header grows with scene cuts only; ten megabytes hold a million of them.
_MAX_HEADER_BYTES = 10 << 20
#: Bytes copied and hashed at a time.
_BLOCK = 1 << 20
#: The archive holds no times, so that the same analysis gives the same file.
_EPOCH = (1980, 1, 1, 0, 0, 0)

#: What precedes a member in the archive ends with the lengths of its name and of an extra field,
#: which follow.
_LOCAL_HEADER = struct.Struct("<26xHH")

#: What ``zipfile`` and ``json`` raise for damaged input; RuntimeError includes too deep nesting and
#: encryption.
_UNREADABLE = (zipfile.BadZipFile, ValueError, RuntimeError, EOFError, struct.error, OverflowError)


def write_template_file(path: Path, header: TemplateHeader, files: Mapping[str, Path]) -> None:
    """Write a template whole or not at all; ``files`` are the members by name.

    Raises:
        InputError: the place cannot be written, or the disk is full.
    """
    with (
        AtomicFile(path) as file,
        zipfile.ZipFile(file.part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        text = json.dumps({"format": TEMPLATE_FORMAT, **asdict(header)}, indent=1)
        archive.writestr(zipfile.ZipInfo(_HEADER, _EPOCH), text)
        for name, source in files.items():
            with (
                source.open("rb") as reader,
                archive.open(zipfile.ZipInfo(name, _EPOCH), "w", force_zip64=True) as out,
            ):
                while block := reader.read(_BLOCK):
                    out.write(block)


def describe_file(path: Path) -> Member:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Member(size, digest.hexdigest())


def read_header(path: Path) -> TemplateHeader:
    """Read the header and see that the archive has exactly the members it names, at their sizes.

    Raises:
        InputError: no such file, not a template, damaged, or of another version.
    """
    check_input_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if len(entries) != len(archive.infolist()) or _HEADER not in entries:
                raise damaged(
                    path, "it has no header" if _HEADER not in entries else "members appear twice"
                )
            if any(
                entry.compress_type != zipfile.ZIP_STORED
                or entry.flag_bits & 1
                or entry.file_size != entry.compress_size
                for entry in entries.values()
            ):
                raise damaged(path, "a member is compressed or encrypted")
            if entries[_HEADER].file_size > _MAX_HEADER_BYTES:
                raise damaged(path, "its header is too large")
            record = json.loads(archive.read(_HEADER))
        header = parse_header(record, path)
        sizes = {name: entry.file_size for name, entry in entries.items() if name != _HEADER}
    except (*_UNREADABLE, OSError) as error:
        raise damaged(path, one_line(error)) from error
    if sizes != {name: member.size for name, member in header.members.items()}:
        raise damaged(path, "members are missing or of another size")
    return header


def member_start(path: Path, name: str) -> int:
    """Where in the file the bytes of a member begin.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            entry = archive.getinfo(name).header_offset
            file.seek(entry)
            name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            return int(entry + _LOCAL_HEADER.size + name_bytes + extra_bytes)
    except (*_UNREADABLE, KeyError) as error:
        raise damaged(path, f"{name}: {one_line(error)}") from error


def extract(path: Path, name: str, member: Member, to: Path | None) -> None:
    """Copy one member to a file (None: only verify it).

    Raises:
        InputError: its checksum is wrong, or the disk is full.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as reader:
            sink = None if to is None else to.open("wb")
            try:
                while block := reader.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    if sink is not None:
                        sink.write(block)
            finally:
                if sink is not None:
                    sink.close()
    except (*_UNREADABLE, KeyError) as error:
        raise damaged(path, f"{name}: {one_line(error)}") from error
    if (size, digest.hexdigest()) != (member.size, member.sha256):
        raise damaged(path, f"the checksum of {name} is wrong")
