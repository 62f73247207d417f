"""The picture of a report: what the program prints in colour, as SVG.

python docs/tools/picture.py            writes docs/assets/report.svg
python docs/tools/picture.py --check    says whether that is what the program prints now
"""

import re
import subprocess
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs/assets/report.svg"
CAPTURE = "captures/mm5-udp-4500-blocked.pcap"
WIDTH = 84
PIECES = (("━━", 27), ("  What may be the cause", 5), ("  What to check next", 4))
"""Which lines are shown: from the first that begins so, so many. What stands between is left out, and `…` says so."""

CELL, LINE, SIZE, EDGE, BAR = 8.4, 19, 14, 18, 34
GROUND, INK, FAINT = "#10151b", "#d7dee6", "#8b98a5"
COLOURS = {
    "31": "#ff7b72",
    "32": "#5fd38d",
    "33": "#e5c07b",
    "34": "#7cb7ff",
    "35": "#d2a8ff",
    "36": "#56d4dd",
    "90": FAINT,
}
_CODE = re.compile(r"\x1b\[([\d;]*)m")


def printed() -> list[str]:
    """The lines of the report, with their colours."""
    run = subprocess.run(
        [sys.executable, "-P", "-m", "pcapdiag", "analyze", "--color", "always", "--width", str(WIDTH), CAPTURE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.split("\n")


def chosen(lines: list[str]) -> list[str]:
    """Those that are shown."""
    plain = [_CODE.sub("", line) for line in lines]
    found: list[str] = []
    place = 0
    for start, count in PIECES:
        at = next(n for n in range(place, len(plain)) if plain[n].startswith(start))
        if found and at > place:
            found.append("\x1b[90m  …\x1b[0m")
        found += lines[at : at + count]
        place = at + count
    return [*found, "\x1b[90m  …\x1b[0m"]


def _spans(line: str) -> str:
    """The line, a tspan for each run of one colour."""
    out, codes, place = "", set[str](), 0
    for match in [*_CODE.finditer(line), None]:
        text = line[place : match.start() if match else len(line)]
        if text:
            fill = next((COLOURS[code] for code in sorted(codes) if code in COLOURS), "")
            fill = fill or (FAINT if "2" in codes else "")
            style = (f' fill="{fill}"' if fill else "") + (' font-weight="700"' if "1" in codes else "")
            text = escape(text).replace(" ", "\xa0")  # renderers fold other spaces
            out += f"<tspan{style}>{text}</tspan>" if style else text
        if match:
            new = set(match[1].split(";")) - {""}
            codes = set() if not new or "0" in new else codes | new
            place = match.end()
    return out


def drawn(lines: list[str]) -> str:
    """The picture."""
    command = f"$ pcapdiag analyze {CAPTURE}"
    rows = [command, "", *lines]
    width, height = EDGE * 2 + WIDTH * CELL, BAR + EDGE + len(rows) * LINE
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        'aria-label="A report of pcapdiag in a terminal: message 6 is missing, UDP 4500 is likely filtered">',
        f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>',
        *(f'<circle cx="{EDGE + 4 + n * 18}" cy="{BAR / 2:.0f}" r="5" fill="#3a4550"/>' for n in range(3)),
        f"<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" "
        f'font-size="{SIZE}" fill="{INK}">',
    ]
    for number, row in enumerate(rows):
        cells = len(_CODE.sub("", row))
        if cells:
            # As wide as its cells, whatever the font: what is drawn with lines keeps its place.
            out.append(
                f'<text x="{EDGE}" y="{BAR + SIZE + number * LINE}" textLength="{cells * CELL:.1f}" '
                f'lengthAdjust="spacingAndGlyphs">{_spans(row)}</text>'
            )
    return "\n".join([*out, "</g>", "</svg>", ""])


if __name__ == "__main__":
    now = drawn(chosen(printed()))
    if "--check" in sys.argv:
        sys.exit(0 if PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == now else f"{PICTURE} is old")
    PICTURE.write_text(now, encoding="utf-8")
