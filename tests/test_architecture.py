"""The table of packages in ARCHITECTURE.md is true."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "swaptalk"
#: Modules beside the packages.
BESIDE = {"__init__", "__main__", "errors"}
#: Lines may differ from the table by this share, or by this many.
SHARE, LINES = 0.4, 300


def table() -> dict[str, int]:
    """Lines of each package, as the table says."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", text, re.M)
    return {name: int(lines.replace(",", "")) for name, lines in rows}


def packages() -> dict[str, list[Path]]:
    found = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        found[path.relative_to(PACKAGE).parts[0].removesuffix(".py")].append(path)
    return {name: paths for name, paths in found.items() if name not in BESIDE}


def test_every_package_is_in_the_table() -> None:
    assert set(table()) == set(packages())


def test_lines_are_about_right() -> None:
    for name, paths in packages().items():
        lines = sum(path.read_text(encoding="utf-8").count("\n") for path in paths)
        assert abs(lines - table()[name]) <= max(SHARE * lines, LINES), (name, lines)


def test_every_path_of_the_map_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    part = text[text.index("| what | where |") : text.index("## A frame's way")]
    named = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py|\.json)?)`", part)
    assert len(named) > 30
    assert [name for name in named if not (PACKAGE / name).exists()] == []


def test_every_page_is_in_the_sites_menu_and_every_report_in_the_list() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert [page for page in pages if f" {page}" not in menu] == []
    reports = (ROOT / "docs" / "reports" / "index.md").read_text(encoding="utf-8")
    names = [path.name for path in ROOT.glob("docs/reports/*.md") if path.name != "index.md"]
    assert [name for name in names if f"]({name})" not in reports] == []
