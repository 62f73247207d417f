"""Sequence numbers of ESP, a bit each: which packets of an SA went by (RFC 4303 §2.2)."""

from msgspec import Struct, field

BLOCK = 13
"""Bits of a sequence number that are told apart within one block: a block has a kB."""
MAX_BLOCKS = 65_536
"""Blocks that are kept of one point: 64 MB, half a billion packets in a row."""
MAX_SAS = 4_096
"""SAs of which the packets are told apart, at one point."""


class Numbers(Struct):
    """The sequence numbers of one SA that were seen. first, last -- the lowest and the highest."""

    first: int
    last: int
    packets: int = 0
    repeated: int = 0
    blocks: dict[int, bytearray] = field(default_factory=dict)

    def count(self, first: int, last: int) -> int:
        """How many different ones there are from `first` to `last`."""
        found = 0
        for number, block in self.blocks.items():
            start = number << BLOCK
            if start > last or start + (1 << BLOCK) <= first:
                continue
            found += (_bits(block) & _window(start, first, last)).bit_count()
        return found

    def without(self, other: "Numbers", first: int, last: int) -> int:
        """How many from `first` to `last` are here and not in the other."""
        found = 0
        for number, block in self.blocks.items():
            start = number << BLOCK
            if start > last or start + (1 << BLOCK) <= first:
                continue
            theirs = other.blocks.get(number)
            mine = _bits(block) & ~(_bits(theirs) if theirs is not None else 0)
            found += (mine & _window(start, first, last)).bit_count()
        return found


def _bits(block: bytearray) -> int:
    return int.from_bytes(block, "little")


def _window(start: int, first: int, last: int) -> int:
    """The bits of a block that begins with `start` for the numbers from `first` to `last`."""
    low = max(first - start, 0)
    high = min(last - start, (1 << BLOCK) - 1)
    return (1 << high + 1) - (1 << low) if high >= low else 0


class Sequences:
    """Of each SA, by its two addresses and its SPI (octets of the packet), the numbers that were seen.

    overflow -- packets that found no room
    """

    def __init__(self) -> None:
        self.sas: dict[tuple[bytes, bytes], Numbers] = {}
        self.overflow = 0
        self._blocks = 0

    def add(self, ends: bytes, spi: bytes, number: int) -> None:
        """Note one packet."""
        key = (ends, spi)
        found = self.sas.get(key)
        if found is None:
            if len(self.sas) >= MAX_SAS:
                self.overflow += 1
                return
            found = self.sas[key] = Numbers(number, number)
        block = found.blocks.get(number >> BLOCK)
        if block is None:
            if self._blocks >= MAX_BLOCKS:
                self.overflow += 1
                return
            self._blocks += 1
            block = found.blocks[number >> BLOCK] = bytearray(1 << BLOCK - 3)
        place, bit = (number & (1 << BLOCK) - 1) >> 3, 1 << (number & 7)
        found.packets += 1
        if block[place] & bit:
            found.repeated += 1
            return
        block[place] |= bit
        if number > found.last:
            found.last = number
        elif number < found.first:
            found.first = number
