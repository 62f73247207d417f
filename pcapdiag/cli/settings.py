"""Where the configuration file is, and how it reaches the commands. Where there is none, nothing more is loaded."""

import os
import sys

import click

from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.options import CONFIG_VARIABLE


def place() -> str:
    """The file, whether it is there or not; "" where there is to be none.

    That of PCAPDIAG_CONFIG, else where the system has such files (XDG Base Directory Specification, %APPDATA%).
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named is not None:
        return named
    if sys.platform == "win32":
        return os.path.join(click.get_app_dir("pcapdiag"), "config.toml")
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(home if os.path.isabs(home) else os.path.expanduser("~/.config"), "pcapdiag", "config.toml")


def apply(context: click.Context) -> None:
    """Let the file say what the options of a command are where the command line does not.

    A file that is wrong ends the program with a line.
    """
    path = place()
    if not path or (CONFIG_VARIABLE not in os.environ and not os.path.exists(path)):
        return
    from pcapdiag.cli.config_file import ConfigError, defaults, read

    try:
        settings = read(path)
    except ConfigError as error:
        from pcapdiag.cli.reading import warn

        warn([str(error)])
        sys.exit(Exit.USAGE)
    command = context.command
    assert isinstance(command, click.Group)
    found = defaults(settings)
    context.default_map = dict.fromkeys(command.list_commands(context), found)
    context.obj = settings.names


def peer_names() -> dict[str, str]:
    """What the file calls addresses."""
    found: dict[str, str] | None = click.get_current_context().find_root().obj
    return found or {}
