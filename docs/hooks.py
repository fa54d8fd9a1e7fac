"""Pages of the site that are made from other files: the repository's own, and the help texts."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from swaptalk.cli.main import VERBS, main

ROOT = Path(__file__).resolve().parents[1]
#: Page of the site, and the file of the repository that it shows.
FROM_REPOSITORY = {
    "explanation/architecture.md": "ARCHITECTURE.md",
    "model-card.md": "MODEL_CARD.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
#: Columns of a help text.
WIDTH = "110"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    pages = {page: show(page, ROOT / name) for page, name in FROM_REPOSITORY.items()}
    pages["reference/commands.md"] = commands()
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    return files


def show(page: str, path: Path) -> str:
    """Read a file of the repository and rewrite its links for the site."""
    above = "../" * page.count("/")
    pages = {name: f"{above}{other}" for other, name in FROM_REPOSITORY.items()}

    def link(match: re.Match[str]) -> str:
        where, anchor = match[1], match[2] or ""
        if where in pages:
            return f"]({pages[where]}{anchor})"
        return f"]({above}{where.removeprefix('docs/')}{anchor})"

    return re.sub(r"\]\((docs/[^)#]+|[A-Z_]+\.md)(#[^)]*)?\)", link, path.read_text("utf-8"))


def commands() -> str:
    """Collect the help texts of all verbs and of what is below them."""
    lines = ["# Commands", "", "What `swaptalk VERB --help` says.", ""]
    for verb in VERBS:
        text = help_text(verb.name)
        lines += [f"## swaptalk {verb.name}", "", "```text", text, "```", ""]
        for name in re.findall(r"^(?:\W*• |  )([a-z][a-z-]+)  ", text, re.M):
            below = help_text(verb.name, name)
            lines += [f"### swaptalk {verb.name} {name}", "", "```text", below, "```", ""]
    return "\n".join(lines)


def help_text(*words: str) -> str:
    """Run a verb's ``--help``."""
    said, columns = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        with contextlib.redirect_stdout(said):
            main([*words, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return re.sub(r"\x1b\[[0-9;]*m", "", said.getvalue()).rstrip()
