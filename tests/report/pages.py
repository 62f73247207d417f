"""Pages as the tests read them, and reports that make long ones."""

from html.parser import HTMLParser

from pcapdiag.pipeline import Report
from tests.diagnosis.scenarios import refusal
from tests.messages import Wire, main_mode
from tests.report.reports import of_items

VOID = {"meta", "input", "br", "img"}


class Parsed(HTMLParser):
    """The tags of a page, each closed in its place; ids, references to them, and the text that is read."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.refers: set[str] = set()
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            elif name == "aria-labelledby":
                self.refers.update((value or "").split())
            elif name == "href":
                assert (value or "").startswith("#"), value
                self.refers.add((value or "")[1:])
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def peers(count: int, each: int = 1) -> Report:
    """Exchanges of so many initiators, with different ends."""
    wire = Wire()
    items = []
    for n in range(count):
        for again in range(each):
            cookies = (n * each + again + 1).to_bytes(8, "big"), b"\1" * 8
            source = f"10.{n % 3}.{n >> 8 & 255}.{n & 255}"
            target = f"172.16.{n >> 8 & 255}.{n & 255}"
            at = n * 3.0 + again / 10
            items.append(wire.datagram(at, main_mode(1, cookies), source=source, destination=target))
            if n % 2:
                answer = refusal(14, cookies) if n % 4 == 1 else main_mode(2, cookies)
                items.append(wire.datagram(at + 0.01, answer, source=target, destination=source))
                items.append(wire.datagram(at + 0.02, main_mode(3, cookies), source=source, destination=target))
    return of_items(items, count * 3.0 + 100)
