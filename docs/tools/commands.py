"""Pages of the commands, made of their own help."""

from inspect import cleandoc

import click

from pcapdiag.cli import main as program

HEAD = """# Command line

Each page says what `pcapdiag COMMAND --help` says. Options may stand before or after the files.

| command | |
|---|---|
"""


def root() -> click.Group:
    """The program, as click sees it."""
    found = [value for value in vars(program).values() if isinstance(value, click.Group)]
    assert len(found) == 1, found
    return found[0]


def all_commands() -> dict[str, click.Command]:
    """Each command by its name, loaded."""
    group = root()
    context = click.Context(group, info_name="pcapdiag")
    found = {}
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        if command is not None and not command.hidden:
            found[name] = command
    return found


def _row(parameter: click.Parameter, context: click.Context) -> str | None:
    record = parameter.get_help_record(context)
    if record is None:
        return None
    names, meaning = (cell.replace("|", "\\|") for cell in record)
    meaning = meaning.replace("<", "&lt;")
    return f"| `{names}` | {meaning} |"


def _page(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"pcapdiag {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"# pcapdiag {name}", "", "```text", f"pcapdiag {name} {usage}", "```", ""]
    lines += [_prose(command.help or ""), "", "| option | |", "|---|---|"]
    lines += [row for p in command.get_params(context) if (row := _row(p, context))]
    return "\n".join(lines) + "\n"


def _prose(text: str) -> str:
    return cleandoc(text).replace("\b\n", "").replace("\f", "").replace("<", "&lt;")


def pages() -> dict[str, str]:
    """The pages, by their places."""
    index, found = HEAD, {}
    for name, command in all_commands().items():
        found[f"reference/cli/{name}.md"] = _page(name, command)
        first = cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ")
        index += f"| [{name}]({name}.md) | {first} |\n"
    index += "\nWhat an exit status means is told under [the words of a report](../words.md#exit-status).\n"
    found["reference/cli/index.md"] = index
    return found
