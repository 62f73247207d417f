"""Pages of the knowledge base, made of `pcapdiag explain --json`, with the captures that show each state and cause."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pcapdiag.knowledge.platform_names import PLATFORM_NAMES

ROOT = Path(__file__).resolve().parents[2]
ENDS = {
    "initiator": "the initiator",
    "responder": "the responder",
    "either": "either end",
    "both": "either end",
    "refuser": "the end that refused",
    "refused": "the end that was refused",
    "path": "the path",
}
SHOWN = ("confirmed", "likely")
"""How sure a report has to be of a cause for its capture to stand on the page of that cause."""
MOST = 6


@cache
def entries() -> list[dict[str, Any]]:
    """All states and causes, as the program explains them."""
    return list(_told("explain", "--json")["entries"])


def _told(*arguments: str) -> Any:
    run = subprocess.run(
        [sys.executable, "-P", "-m", "pcapdiag", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return json.loads(run.stdout)


@cache
def shown() -> dict[str, list[tuple[str, str]]]:
    """By state and by cause, the captures that show it, each with what is said of it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for capture in sorted((ROOT / "captures").glob("*.pcap*")):
        report = _told("analyze", "--json", f"captures/{capture.name}")
        for exchange in report["exchanges"]:
            keys = {f"{cause['id']} {cause['status']}" for cause in exchange["causes"]}
            if exchange["outcome"] in ("stalled", "rejected"):
                keys |= {*exchange["initiator_state"], *exchange["responder_state"]}
            elif exchange["outcome"] == "completed":
                keys |= {s for s in exchange["initiator_state"] if s.endswith("_ACTIVE")}
            for key in keys:
                topic, _, status = key.partition(" ")
                rows = found.setdefault(topic, [])
                if (not status or status in SHOWN) and capture.name not in [name for name, _ in rows]:
                    rows.append((capture.name, status))
    return found


@cache
def what_shows() -> dict[str, str]:
    """What each capture shows, in the words of the README beside them."""
    rows = (ROOT / "captures/README.md").read_text(encoding="utf-8").split("\n")
    cells = [row.strip("| ").split(" | ", 1) for row in rows if row.startswith("| `")]
    return {name.strip("` "): what for name, what in cells}


def _plain(text: str) -> str:
    text = text.replace("{peer}", "the peer").replace("{local}", "this end")
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _code(text: str) -> str:
    return (
        text.replace("{peer}", "<peer address>")
        .replace("{local}", "<local address>")
        .replace("{family}", "4")
        .replace("{ports}", "udp port 500 or udp port 4500")
    )


def _captures(topic: str) -> str:
    rows = shown().get(topic, [])
    if not rows:
        return ""
    order = {status: place for place, status in enumerate(("confirmed", "likely", ""))}
    rows = sorted(rows, key=lambda row: order[row[1]])
    text = "\n## Captures that show it\n\n"
    if any(status for _, status in rows):
        text += "| capture | what was done | status |\n|---|---|---|\n"
        text += "".join(f"| `{name}` | {what_shows()[name]} | {status} |\n" for name, status in rows[:MOST])
    else:
        text += "| capture | what was done |\n|---|---|\n"
        text += "".join(f"| `{name}` | {what_shows()[name]} |\n" for name, _ in rows[:MOST])
    if len(rows) > MOST:
        text += f"\nAnd {len(rows) - MOST} more in `captures/`.\n"
    return text + f"\n```sh\npcapdiag analyze captures/{rows[0][0]}\n```\n"


def _state(entry: dict[str, Any], titles: dict[str, str]) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in entry["aliases"])
    text = f"# {entry['id']}\n\n**{_plain(entry['title'])}.**\n\n"
    text += f"A state of {ENDS[entry['end']]}.\n\n{_plain(entry['meaning'])}\n\n"
    text += f"## On the wire\n\n{_plain(entry['wire'])}\n"
    if aliases:
        text += f"\nOther programs call it {aliases}.\n"
    if entry["document"]:
        text += "\n## Causes that are known for it\n\nIn the order of “Troubleshooting Phase 1 Cisco Site to Site "
        text += "(L2L) VPN Tunnels”, whose numbers the report cites.\n\n"
        for item in entry["document"]:
            cause = item["cause"]
            text += f"{item['item']}. [{titles[cause]}]({cause}.md). {_plain(item['text'])}\n"
    return text + _captures(entry["id"])


def _check(number: int, check: dict[str, Any]) -> str:
    software = ", ".join(filter(None, [f"IKEv{check['ike']}" if check["ike"] else "", check["software"] or ""]))
    head = f"{number}. {_plain(check['do'])}" + (f" ({_plain(software)})" if software else "") + "."
    head = head.replace("..", ".").replace("?.", "?")
    if check["end"] not in ("either", "both"):
        head += f" *At {ENDS[check['end']]}.*"
    lines = [head, ""]
    if check["command"]:
        typed = "\n".join((*check["first"], check["command"]))
        lines += ["    ```text", *(f"    {line}" for line in _code(typed).split("\n")), "    ```", ""]
    if check["expect"]:
        lines += [f"    → {_plain(check['expect'])}", ""]
    if check["undo"]:
        lines += ["    To end it: " + "; ".join(f"`{_code(undo)}`" for undo in check["undo"]) + ".", ""]
    if check["source"]:
        lines += [f"    [Where this is documented]({check['source']})", ""]
    return "\n".join(lines)


def _cause(entry: dict[str, Any], states: dict[str, list[tuple[str, int]]]) -> str:
    text = f"# {entry['title']}\n\n`{entry['id']}`\n\n{_plain(entry['meaning'])}\n\n"
    text += f"## What speaks for it\n\n{_plain(entry['supports'])}\n\n"
    text += f"## What speaks against it\n\n{_plain(entry['against'])}\n\n"
    text += f"## What decides\n\n{_plain(entry['decide'])}\n"
    if entry.get("remark"):
        text += f"\n{_plain(entry['remark'])}\n"
    listed = states.get(entry["id"], [])
    if listed:
        text += "\nIt is named for "
        text += ", ".join(f"[{state}]({state}.md) (number {item})" for state, item in listed) + ".\n"
    text += _captures(entry["id"])
    text += f"\n## What to check\n\n{_plain(entry['look'])}\n"
    by_platform: dict[str, list[dict[str, Any]]] = {}
    for check in entry["checks"]:
        by_platform.setdefault(check["platform"], []).append(check)
    for platform in ("any", *PLATFORM_NAMES):
        checks = by_platform.get(platform, [])
        if not checks:
            continue
        heading = "On any device" if platform == "any" else PLATFORM_NAMES[platform]
        text += f"\n### {heading}\n\n" + "\n".join(_check(n, check) for n, check in enumerate(checks, 1))
    return text


def pages() -> dict[str, str]:
    """A page for each state and each cause, and one that lists them."""
    states = [e for e in entries() if e["kind"] == "state"]
    causes = [e for e in entries() if e["kind"] == "cause"]
    titles = {e["id"]: e["title"] for e in causes}
    named: dict[str, list[tuple[str, int]]] = {}
    for state in states:
        for item in state["document"]:
            named.setdefault(item["cause"], []).append((state["id"], item["item"]))
    found = {f"knowledge/{e['id']}.md": _state(e, titles) for e in states}
    found |= {f"knowledge/{e['id']}.md": _cause(e, named) for e in causes}
    text = (
        "# States and causes\n\nWhat `pcapdiag explain` knows, a page each. The program prints the same in a terminal, "
        "without a network:\n\n```sh\npcapdiag explain MM_WAIT_MSG6\npcapdiag explain psk-mismatch\n```\n\n"
        "## States\n\nWhere an end is left, in the words that a Cisco ASA uses.\n\n| state | of | |\n|---|---|---|\n"
    )
    text += "".join(f"| [{e['id']}]({e['id']}.md) | {ENDS[e['end']]} | {_plain(e['title'])} |\n" for e in states)
    text += "\n## Causes\n\n| cause | | captures |\n|---|---|---|\n"
    for e in causes:
        text += f"| [{e['id']}]({e['id']}.md) | {_plain(e['title'])} | {len(shown().get(e['id'], [])) or '–'} |\n"
    text += "\nThe last column counts the captures of `captures/` in which the cause is confirmed or likely.\n"
    found["knowledge/index.md"] = text
    return found
