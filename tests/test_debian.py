"""contrib/debian: version, licence and dependencies of the package are those of the project."""

import re
import tomllib
from pathlib import Path

import pytest

from pcapdiag.version import VERSION

ROOT = Path(__file__).parents[1]
DEBIAN = ROOT / "contrib" / "debian"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
if not DEBIAN.is_dir():
    pytest.skip("needs contrib/debian", allow_module_level=True)


def stanzas() -> list[dict[str, str]]:
    """The paragraphs of `control`, each its fields."""
    text = (DEBIAN / "control").read_text(encoding="utf-8")
    return [dict(re.findall(r"^([A-Z][\w-]*):((?:.*)(?:\n .*)*)", part, re.M)) for part in text.split("\n\n")]


def wanted(requirements: list[str]) -> set[str]:
    """What is required of Python packages, as Debian writes it."""
    found = [re.match(r"(\w+)(?:>=([\d.]+))?", one) for one in requirements]
    return {f"python3-{one[1]} (>= {one[2]})" for one in found if one is not None}


def named(field: str) -> set[str]:
    return {one.strip() for one in field.split(",") if one.strip()}


def test_the_version_is_that_of_the_program() -> None:
    first = (DEBIAN / "changelog").read_text(encoding="utf-8").partition("\n")[0]
    assert re.match(rf"pcapdiag \({re.escape(VERSION)}-\d+\) ", first)


def test_what_it_depends_on_is_what_the_project_does() -> None:
    source, package = stanzas()
    needed = wanted(PROJECT["project"]["dependencies"])
    assert len(needed) >= 6
    assert needed <= named(source["Build-Depends"])
    # dh-python adds those that need no other version than Debian has long had.
    plain = {one for one in needed if re.match(r"python3-(click|jinja2) ", one)}
    assert needed - plain <= named(package["Depends"])
    (keys,) = wanted(PROJECT["project"]["optional-dependencies"]["keys"])
    assert keys in named(package["Recommends"])


def test_the_licence_is_that_of_the_project() -> None:
    _, _, licence = (ROOT / "LICENSE").read_text(encoding="utf-8").partition("Permission is")
    _, _, told = (DEBIAN / "copyright").read_text(encoding="utf-8").partition("Permission is")
    assert re.sub(r"^ \.$", "", told, flags=re.M).split() == licence.split()


def test_the_rules_find_what_they_take() -> None:
    rules = (DEBIAN / "rules").read_text(encoding="utf-8")
    unit = ROOT / "contrib" / "pcapdiag-live@.service"
    assert f"contrib/{unit.name}" in rules
    assert "/opt/pcapdiag/bin/" in unit.read_text(encoding="utf-8")
    assert (DEBIAN / "rules").stat().st_mode & 0o111
    for name in ("pcapdiag.docs", "pcapdiag.examples"):
        for path in (DEBIAN / name).read_text(encoding="utf-8").split():
            assert (ROOT / path).exists()
