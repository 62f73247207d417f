"""HTML out of the templates: everything that is put into them is escaped, and nothing in it can act.

jinja2 escapes what HTML reads; before that, controls and direction marks are made visible, as in every report.
"""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from pcapdiag.report.phrases import status_word
from pcapdiag.report.wording import clipped, frame_list, instant, safe

if TYPE_CHECKING:
    from jinja2 import Environment, Template

MAX_REASONS = 12
"""Facts that one cause is said to rest on; the others are counted."""


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("pcapdiag.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: safe(value) if type(value) is str else value,
    )
    made.globals.update(
        most_reasons=MAX_REASONS, clipped=clipped, frame_list=frame_list, instant=instant, status_word=status_word
    )
    return made


def template(name: str) -> "Template":
    """A template, with what it calls."""
    return _environment().get_template(name)


@cache
def source(name: str) -> str:
    """The text of a style sheet or script that stands beside the templates."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def style() -> str:
    """The style sheet of a page, light and dark."""
    dark = source("dark.css")
    return (
        f"{source('parts.css')}{source('page.css')}"
        f"@media screen and (prefers-color-scheme: dark) {{\n.pcapdiag {{\n{dark}}}\n}}\n"
    )


def policy(css: str, script: str = "") -> str:
    """Nothing from elsewhere, and of what stands in the page only the style and the script that are ours."""
    scripts = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; style-src {_hash(css)}; {scripts}base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
