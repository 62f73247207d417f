"""`pcapdiag config`: which settings are in force, and where they come from."""

import json
import os
import sys

import click

from pcapdiag.cli.config_file import EXAMPLE, KEYS, ConfigError, Settings, read
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.options import CONFIG_VARIABLE
from pcapdiag.cli.settings import place


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--example", is_flag=True, help="Print a file with every setting, to begin with.")
def config(as_json: bool, example: bool) -> None:
    """Show the settings that are in force, and where each comes from.

    The file is ~/.config/pcapdiag/config.toml (under $XDG_CONFIG_HOME where that is set, %APPDATA% on Windows), or the
    one that PCAPDIAG_CONFIG names; where that is empty, there is none. It holds addresses of your own (local), ports,
    platforms, names of peers, colour and width. What the command line says wins: of --platform, end by end.

    Exit status: 0 shown, 2 the file is wrong.
    """
    if example:
        click.echo(EXAMPLE, nl=False)
        return
    path = place()
    there = bool(path) and (CONFIG_VARIABLE in os.environ or os.path.exists(path))
    try:
        settings = read(path) if there else Settings()
    except ConfigError as error:
        from pcapdiag.cli.reading import warn

        warn([str(error)])
        sys.exit(Exit.USAGE)
    rows = {key: (value := getattr(settings, key), _source(key, value)) for key in KEYS}
    if as_json:
        told = {key: {"value": value, "from": source} for key, (value, source) in rows.items()}
        click.echo(json.dumps({"file": path or None, "read": there, "settings": told}, indent=1))
        return
    click.echo(f"file       {_told(path, there)}")
    for key, (value, source) in rows.items():
        click.echo(f"{key:<9}  {_shown(value) or _USUAL.get(key, 'none')}  ({source})")


def _told(path: str, there: bool) -> str:
    from pcapdiag.report.wording import safe

    if not path:
        return f"none: {CONFIG_VARIABLE} is empty"
    by = f"{CONFIG_VARIABLE} names it" if CONFIG_VARIABLE in os.environ else "its usual place"
    return f"{safe(path)} ({by})" if there else f"{safe(path)} (not there; `pcapdiag config --example` prints one)"


_USUAL = {"color": "auto", "width": "that of the terminal, 80 to 110"}
"""What holds where the file does not say; of all else there is none then."""


def _source(key: str, value: object) -> str:
    """Where a setting comes from."""
    source = "file" if value else "default"
    quiet = key == "color" and value in (None, "auto") and os.environ.get("NO_COLOR")
    return f"{source}; NO_COLOR turns it off" if quiet else source


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {text}" for key, text in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
