"""The page of the Python package, name by name, made of its docstrings."""

import enum
import inspect
import re
from types import UnionType

import pcapdiag

HEAD = """# Python, name by name

Everything here is `pcapdiag.…`. Names that are not on this page are the package's own and may change. How they work
together stands under [Python](python.md).
"""
BAR = "\\|"
_HEADING = re.compile(r"^(\S.*)\n((?:    .*\n?)+)", re.M)
_MODULE = re.compile(r"\b(?:pcapdiag|collections\.abc|typing|msgspec|pandas)\.(?:\w+\.)*(?=\w)")


def groups() -> dict[str, list[str]]:
    """The exported names under the headings of the package's docstring, each once, where it is first named."""
    found: dict[str, list[str]] = {}
    left = [name for name in pcapdiag.__all__ if not name.startswith("__")]
    for heading, body in _HEADING.findall(pcapdiag.__doc__ or ""):
        words = re.findall(r"\w+", f"{heading} {body}")
        # A name of several is told in the plural as well: Peers, IcmpErrors.
        named = [name for word in words for name in left if word in (name, f"{name}s")]
        named = list(dict.fromkeys(named))
        if named:
            found[heading.split(" (")[0].split(",")[0].rstrip(":")] = named
            left = [name for name in left if name not in named]
    if left:
        found["Others"] = left
    return found


def _typed(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _MODULE.sub("", text)


def _signature(thing: object) -> list[str]:
    """`name: type = default`, a parameter a piece."""
    pieces, star = [], False
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            pieces, star = [*pieces, "*"], True
        text = parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {_typed(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_MODULE.sub('', repr(parameter.default))}"
        pieces.append(text)
    return pieces


def _prose(text: str) -> str:
    """A docstring as Markdown: `name -- meaning` is a list, what is indented below a blank line is code."""
    out: list[str] = []
    for block in inspect.cleandoc(text).split("\n\n"):
        lines = block.split("\n")
        if all(line.startswith("    ") for line in lines):
            out.append("```python\n" + inspect.cleandoc(block) + "\n```")
        elif any(re.match(r"\S+(, \S+)* -- ", line) for line in lines):
            items: list[str] = []
            for line in lines:
                if re.match(r"\S+(, \S+)* -- ", line) or not items:
                    names, dashes, meaning = line.partition(" -- ")
                    items.append(f"- `{names}`: {meaning}" if dashes else line + "\n")
                else:
                    items[-1] += " " + line.strip()
            out.append("\n".join(items))
        else:
            out.append(block)
    return "\n\n".join(out).replace("``", "`")


def _told(name: str) -> str:
    thing = getattr(pcapdiag, name)
    parts = [f"### {name}\n"]
    if isinstance(thing, UnionType):
        members = ", ".join(f"[{t.__name__}](#{t.__name__.lower()})" for t in thing.__args__)
        return "\n".join([*parts, f"Any of {members}.\n"])
    if isinstance(thing, enum.EnumType):
        values = ", ".join(f"`{member.value}`" for member in thing)
        return "\n".join([*parts, _prose(thing.__doc__ or ""), "", f"One of {values}.\n"])
    if isinstance(thing, type) and issubclass(thing, Exception):
        return "\n".join([*parts, _prose(thing.__doc__ or ""), ""])
    if isinstance(thing, type):
        fields = getattr(thing, "__struct_fields__", ())
        parts += [_prose(thing.__doc__ or ""), ""]
        if fields:
            given: dict[str, object] = {}
            for base in reversed(thing.__mro__):
                given |= vars(base).get("__annotations__", {})
            parts += ["| field | type |", "|---|---|"]
            parts += [f"| `{field}` | `{_typed(given[field]).replace('|', BAR)}` |" for field in fields]
            parts.append("")
        for member, value in vars(thing).items():
            text = inspect.getdoc(value)
            if member.startswith("_") or member in fields or not text or type(value).__name__ == "member_descriptor":
                continue
            call = f"`.{member}({', '.join(_signature(value)[1:])})`" if inspect.isfunction(value) else f"`.{member}`"
            parts += [
                f"{call}",
                "",
                *(f":   {line}" if n == 0 else f"    {line}" for n, line in enumerate(_prose(text).split("\n"))),
                "",
            ]
        return "\n".join(parts)
    pieces = _signature(thing)
    parts += [
        "```python",
        f"{name}(",
        *(f"    {piece}," for piece in pieces),
        ")",
        "```",
        "",
        _prose(thing.__doc__ or ""),
    ]
    return "\n".join([*parts, ""])


def pages() -> dict[str, str]:
    """The page."""
    text = HEAD
    for heading, names in groups().items():
        text += f"\n## {heading}\n\n" + "\n".join(_told(name) for name in names)
    return {"reference/api.md": text}
