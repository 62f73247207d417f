"""The formats of reports, a row each: what the option is called, what it says of itself, and what writes it.

A new format is a module that has the text, and a row here. The first of a command's rows is what it prints unasked.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import click

from pcapdiag.cli import options
from pcapdiag.cli.reading import warn
from pcapdiag.cli.terminal import encodable

if TYPE_CHECKING:
    from pcapdiag.logs.joining import JoinedLog
    from pcapdiag.report.terminal.layout import Layout

Command = TypeVar("Command", bound=Callable[..., Any])


class View(NamedTuple):
    """How it is looked at: on what terminal, and with which logs beside."""

    layout: "Layout"
    beside: "Sequence[JoinedLog]" = ()


class Renderer(Protocol):
    """Makes a report of what was found, piece by piece. It imports what it needs when it is called."""

    def __call__(self, found: Any, view: View, /) -> Iterable[str]:
        """The pieces; none where there is nothing to tell."""
        ...


class Format(NamedTuple):
    """A format of a report.

    name -- of the option; says -- its help; render -- makes it
    file -- the option takes the name of a file, which is written beside what is printed; `-` prints it instead
    plain -- it is for people and a terminal, whose character set may be small
    """

    name: str
    says: str
    render: Renderer
    file: bool = False
    plain: bool = False


class Asked(NamedTuple):
    """What of them was asked for: one that is printed, and any number that are written to files."""

    printed: Format
    files: tuple[tuple[Format, str], ...]

    def print(self, found: Any, view: View) -> None:
        """Print the report."""
        for piece in self.printed.render(found, view):
            if self.printed.plain:
                click.echo(encodable(piece), nl=False, color=view.layout.colour)
            else:
                click.echo(piece.encode() if self.printed.file else piece, nl=False)

    def write(self, found: Any, view: View, inputs: Callable[[], Sequence[object]], *, private: bool) -> bool:
        """Write the files, each whole or not at all; False where that fails, which is said.

        inputs -- tells which files must not be written over; private -- what keys opened is in it
        """
        if not self.files:
            return True
        from pcapdiag.output import OutputError, written

        for form, name in self.files:
            pieces = list(form.render(found, view))
            if not pieces:
                continue
            try:
                with written(name, inputs=inputs(), private=private) as file:
                    file.writelines(piece.encode() for piece in pieces)
            except OutputError as error:
                warn([str(error)])
                return False
        return True


def asked_for(*formats: Format) -> Callable[[Command], Command]:
    """Give a command an option for each format but the first, and what was asked for as `formats`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(*args: Any, **given: Any) -> Any:
            chosen = {form: given.pop(f"as_{form.name}") for form in formats[1:]}
            printed = [form for form, value in chosen.items() if value is True or (form.file and value == "-")]
            if len(printed) > 1:
                names = [f"--{form.name}{' -' if form.file else ''}" for form in formats[1:]]
                raise click.UsageError(
                    f"{', '.join(names[:-1])} and {names[-1]} each print the report; only one of them can."
                )
            files = tuple((form, value) for form, value in chosen.items() if form.file and value not in (None, "-"))
            return command(*args, formats=Asked(printed[0] if printed else formats[0], files), **given)

        for form in reversed(formats[1:]):
            kind: dict[str, Any] = {"metavar": "FILE", "type": options.FILE} if form.file else {"is_flag": True}
            run = click.option(f"--{form.name}", f"as_{form.name}", help=form.says, **kind)(run)
        return run  # type: ignore[return-value]

    return decorate


# --- of `analyze` ----------------------------------------------------------------------------------------------------


def _text(report: Any, view: View) -> Iterable[str]:
    if not report.diagnoses:
        return
    from pcapdiag.report.terminal import text

    yield text.render(report, view.layout)
    if view.beside and view.layout.detail >= 0:
        from pcapdiag.report.terminal import log_beside

        yield log_beside.render(view.beside, view.layout)


def _json(report: Any, view: View) -> Iterable[str]:
    from pcapdiag.report import json_report

    return json_report.render(report, view.beside)


def _markdown(found: Any, _view: View) -> Iterable[str]:
    yield found.to_markdown()


def _html(found: Any, _view: View) -> Iterable[str]:
    yield found.to_html()


MARKDOWN = Format("markdown", "Print the report as Markdown, for a ticket or a chat.", _markdown, plain=True)
HTML = Format(
    "html",
    "Write the report as one HTML page as well; `-` prints it instead of the other report.",
    _html,
    file=True,
)
ANALYSIS = (
    Format("text", "", _text, plain=True),
    Format("json", "Print the report as JSON.", _json),
    MARKDOWN,
    HTML,
)

# --- of `compare` ----------------------------------------------------------------------------------------------------


def _compared_text(comparison: Any, view: View) -> Iterable[str]:
    from pcapdiag.report.terminal import compare_text

    yield compare_text.render(comparison, view.layout)


def _compared_json(comparison: Any, _view: View) -> Iterable[str]:
    from pcapdiag.report import compare_json

    return compare_json.render(comparison)


def _svg(comparison: Any, _view: View) -> Iterable[str]:
    if comparison.diagnoses:
        yield comparison.to_svg()


SVG = Format("svg", "Write the ladder of the first exchange too; `-` prints it instead.", _svg, file=True)
COMPARISON = (
    Format("text", "", _compared_text, plain=True),
    Format("json", "Print the report as JSON.", _compared_json),
    MARKDOWN,
    HTML,
    SVG,
)

# --- of `log` --------------------------------------------------------------------------------------------------------


def _log_text(report: Any, view: View) -> Iterable[str]:
    if not report.diagnoses:
        return
    from pcapdiag.report.terminal import log_text

    yield log_text.render(report, view.layout)


def _log_json(report: Any, _view: View) -> Iterable[str]:
    from pcapdiag.report import log_json

    return log_json.render(report)


def _log_markdown(report: Any, _view: View) -> Iterable[str]:
    from pcapdiag.report import log_markdown

    yield log_markdown.render(report)


def _log_html(report: Any, _view: View) -> Iterable[str]:
    from pcapdiag.report.html import log_page

    yield log_page.render(report)


LOG = (
    Format("text", "", _log_text, plain=True),
    Format("json", "Print the report as JSON.", _log_json),
    Format("markdown", MARKDOWN.says, _log_markdown, plain=True),
    Format("html", HTML.says, _log_html, file=True),
)
