"""`pcapdiag completion`, and what completes values that are no files."""

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

PROGRAM = "pcapdiag"
VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"
"""In the environment of a program that is asked what could come next."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, files and interfaces.

    For this session, in bash or zsh: eval "$(pcapdiag completion bash)". For all, in a file:

    \b
    bash  ~/.local/share/bash-completion/completions/pcapdiag
    zsh   _pcapdiag, in a directory of $fpath
    fish  ~/.config/fish/completions/pcapdiag.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE)
    # That of bash would start one, only to ask which version it is; from 4.4 on, of 2016, it will do.
    click.echo(ShellComplete.source(script).strip())


def interface_names(_context: click.Context, _option: click.Parameter, typed: str) -> list[CompletionItem]:
    """Interfaces that begin so, and `any`."""
    import socket

    names = [name for _, name in socket.if_nameindex()]
    return [CompletionItem(name) for name in (*names, "any") if name.startswith(typed)]


def topics(_context: click.Context, _argument: click.Parameter, typed: str) -> list[CompletionItem]:
    """States and causes that begin so, in either case."""
    from pcapdiag.knowledge.loading import load

    knowledge = load()
    known = {s.id: s.title for s in knowledge.states} | {c.id: c.title for c in knowledge.causes}
    return [CompletionItem(n, help=text) for n, text in known.items() if n.lower().startswith(typed.lower())]


def commands(context: click.Context, _argument: click.Parameter, typed: str) -> list[CompletionItem]:
    """The commands of the program that begin so."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    return [CompletionItem(name) for name in root.command.list_commands(root) if name.startswith(typed)]
