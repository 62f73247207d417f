"""HTML out of the templates: everything that is put into them is escaped, and nothing in it can act.

jinja2 escapes what HTML reads; before that, controls and direction marks are made visible, as in every report.
"""

from functools import cache
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
