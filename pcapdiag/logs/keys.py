"""The keys that a log holds: FortiGate's debug at level -1, and strongSwan's charon with `ike = 4`, `mgr = 2`.

    ike 0:branch:7: ISAKMP SA 86534562d1e9ce53/375f4506d2ea114e key 16:00112233…
    ike 0:branch:7: IKE SA 7296e98108a42bd1/85eb659ca85c20f9 SK_ei 16:00112233…
    13[IKE] Sk_ei secret => 16 bytes @ 0x7f5a8c003b20
    13[IKE]    0: 00 11 22 33 …

They come out as rows of Wireshark's tables, so that whatever takes a table takes them. Which algorithms an IKEv2 SA
uses stands in the proposal that was chosen; an SA of which the log does not say so is left out, nothing is guessed
from the length of a key. Texts: `keymat_v1.c`, `keymat_v2.c`, `ike_sa_manager.c`, `save_keys_listener.c` (Wireshark's
names) of strongSwan; logs of FortiOS 6 and 7. No error that is made here holds a key.
"""

import re
from collections.abc import Iterable, Iterator

_MOST = 100_000
"""Characters of a line that are looked at, and SAs that are remembered."""

_FORTIGATE = re.compile(r"(?<![\w-])ike (?:V=[^:\s]{1,40}:)?\d+:(\S*?):? (.*)", re.DOTALL)
_WRAPPED = 600
"""Characters that a line with a key has at most."""
_V1 = re.compile(r"ISAKMP SA ([0-9a-f]{16})/[0-9a-f]{16} key (\d{1,3}):([0-9A-Fa-f]*)$")
_V2 = re.compile(r"IKE SA ([0-9a-f]{16})/([0-9a-f]{16}) (SK_(?:ei|er|ai|ar)) (\d{1,3}):([0-9A-Fa-f]*)$")
_MATCHED = "matched proposal id"
_PROTOCOL = re.compile(r"^\s*protocol = (\w+)")
_TRANSFORM = re.compile(r"^\s*type=(ENCR|INTEGR), val=(\w+)(?: \(key_len = (\d+)\))?")

_CHARON = re.compile(r"\b(\d\d)\[(IKE|MGR|CFG|ENC)\](?: <[^>]{0,200}>)? ?(.*)", re.DOTALL)
_SECRET = re.compile(r"(encryption key Ka|Sk_(?:ei|er|ai|ar) secret) => (\d{1,3}) bytes")
_DUMP = re.compile(r"\s*(\d{1,4}): ((?:[0-9A-F]{2} ){1,16})")
_SPIS = re.compile(r"with SPIs ([0-9a-f]{16})_i ([0-9a-f]{16})_r")
_SELECTED = "selected proposal: IKE:"

_ENCRYPTION = re.compile(r"(?:(3DES)(?:_CBC)?|AES_(CBC|CTR)(?:_(\d{3}))?|AES_(GCM|CCM)_(8|12|16)(?:_(\d{3}))?)$")
_INTEGRITY = {
    "HMAC_MD5_96": "HMAC_MD5_96 [RFC2403]",
    "HMAC_SHA1_96": "HMAC_SHA1_96 [RFC2404]",
    "HMAC_SHA_96": "HMAC_SHA1_96 [RFC2404]",
    "HMAC_SHA2_256_128": "HMAC_SHA2_256_128 [RFC4868]",
    "HMAC_SHA2_384_192": "HMAC_SHA2_384_192 [RFC4868]",
    "HMAC_SHA2_512_256": "HMAC_SHA2_512_256 [RFC4868]",
}
_LOG = re.compile(
    r"ISAKMP SA [0-9a-f]{16}/[0-9a-f]{16} key \d|IKE SA [0-9a-f]{16}/[0-9a-f]{16} SK_|\[IKE\][^\n]{0,200}"
    r"(?:Sk_ei secret|encryption key Ka) => "
)
_UNCHECKED = "NONE [RFC4306]"


def looks_like_log(text: str) -> bool:
    """Whether keys stand in a text as in a log, and not as in a table."""
    return _LOG.search(text) is not None


def rows_in(texts: Iterable[str]) -> Iterator[str]:
    """The keys in lines of a log, as rows of Wireshark's `ikev1_decryption_table` and `ikev2_decryption_table`.

    An IKEv1 row has 2 fields, an IKEv2 row 8, hexadecimal digits without a prefix. A row comes once.
    """
    seen: set[str] = set()
    fortigate, charon = _Fortigate(), _Charon()
    for text in texts:
        text = text.rstrip("\r\n")[:_MOST]
        for row in (*fortigate.see(text), *charon.see(text)):
            if row not in seen:
                seen.add(row)
                yield row


def encryption(name: str, bits: str | None) -> str | None:
    """Wireshark's name of an encryption algorithm as the devices write it; None for one that it does not know."""
    found = _ENCRYPTION.fullmatch(name)
    if found is None:
        return None
    triple, mode, length, combined, icv, combined_length = found.groups()
    if triple:
        return "3DES [RFC2451]"
    length = length or combined_length or bits
    if length not in ("128", "192", "256"):
        return None
    if combined:
        return f"AES-{combined}-{length} with {icv} octet ICV [RFC5282]"
    return f"AES-{mode}-{length} [{'RFC3602' if mode == 'CBC' else 'RFC5930'}]"


class _Sa:
    """What is known of an IKEv2 SA so far."""

    __slots__ = ("cipher", "integrity", "keys", "other")

    def __init__(self) -> None:
        self.cipher: str | None = None
        self.integrity: str | None = None
        self.keys: dict[str, str] = {}
        self.other = False

    def row(self, initiator: str, responder: str) -> str | None:
        """A row of the table, where everything is there."""
        cipher, keys = self.cipher, self.keys
        if cipher is None or not {"ei", "er"} <= keys.keys():
            return None
        combined = "ICV" in cipher
        if not combined and (self.integrity is None or not {"ai", "ar"} <= keys.keys()):
            return None
        mac = _UNCHECKED if combined else self.integrity
        ai, ar = ("", "") if combined else (keys["ai"], keys["ar"])
        return f'{initiator},{responder},{keys["ei"]},{keys["er"]},"{cipher}",{ai},{ar},"{mac}"'


class _Fortigate:
    """Keys of a FortiGate; a console may have wrapped them."""

    def __init__(self) -> None:
        self._sas: dict[str, _Sa] = {}
        self._chosen: dict[str, str] = {}
        self._open: tuple[str, str] | None = None

    def see(self, text: str) -> Iterator[str]:
        """Rows that are whole with this line."""
        found = _FORTIGATE.search(text)
        if found is None:
            if self._open is not None:
                yield from self._key(self._open[0], self._open[1] + text.strip("\r\n"))
            return
        self._open = None
        serial = next((part for part in found[1].split(":") if part.isdigit()), found[1])
        body = found[2].rstrip()
        if _MATCHED in body:
            self._chosen[serial] = "matched"
            self._trim()
            return
        state = self._chosen.get(serial)
        if state is not None:
            protocol, transform = _PROTOCOL.match(found[2]), _TRANSFORM.match(found[2])
            if protocol is not None:
                # Another list that follows is not the chosen one, and a proposal for ESP is not about the IKE SA.
                self._chosen[serial] = "ike" if state == "matched" and protocol[1] in ("IKE", "IKEv2") else "over"
                if self._chosen[serial] == "ike":
                    self._sas[serial] = _Sa()
            elif transform is not None and state == "ike":
                sa = self._sas[serial]
                if transform[1] == "ENCR":
                    sa.cipher = sa.cipher or encryption(transform[2], transform[3])
                else:
                    sa.integrity = sa.integrity or _INTEGRITY.get(transform[2].removeprefix("AUTH_"))
        if body.startswith(("ISAKMP SA ", "IKE SA ")):
            yield from self._key(serial, body)

    def _key(self, serial: str, body: str) -> Iterator[str]:
        self._open = None
        one, two = _V1.search(body), _V2.search(body)
        length = int(one[2]) if one is not None else int(two[4]) if two is not None else 0
        digits = one[3] if one is not None else two[5] if two is not None else ""
        if len(digits) < 2 * length or not length:
            if len(body) < _WRAPPED:
                self._open = (serial, body)
            return
        if len(digits) > 2 * length:
            return
        if one is not None:
            yield f"{one[1]},{digits.lower()}"
        elif two is not None:
            sa = self._sas.setdefault(serial, _Sa())
            sa.keys[two[3][3:]] = digits.lower()
            row = sa.row(two[1], two[2])
            if row is not None:
                yield row
                sa.keys = {}

    def _trim(self) -> None:
        if len(self._chosen) > _MOST:
            self._sas.clear()
            self._chosen.clear()


class _Charon:
    """Keys of charon: a thread derives them, and gives the SA back with its SPIs."""

    def __init__(self) -> None:
        self._threads: dict[str, _Sa] = {}
        self._dump: dict[str, tuple[str, int, str]] = {}

    def see(self, text: str) -> Iterator[str]:
        """Rows that are whole with this line."""
        found = _CHARON.search(text)
        if found is None:
            return
        thread, group, body = found[1], found[2], found[3]
        sa = self._threads.setdefault(thread, _Sa())
        if group == "ENC":
            # What is derived in this exchange belongs to another SA, whose SPIs the log does not name.
            sa.other = sa.other or "CREATE_CHILD_SA" in body
            return
        if group == "CFG":
            at = body.find(_SELECTED)
            if at >= 0:
                names = body[at + len(_SELECTED) :].strip().split("/")
                sa.cipher = next(filter(None, (encryption(name, None) for name in names)), None)
                sa.integrity = next(filter(None, map(_INTEGRITY.get, names)), None)
            return
        if group == "MGR":
            spis = _SPIS.search(body)
            if spis is None:
                return
            if "checkin" in body and sa.keys and not sa.other:
                key = sa.keys.get("Ka")
                row = sa.row(spis[1], spis[2]) if key is None else f"{spis[1]},{key}"
                if row is not None:
                    yield row
            self._threads[thread] = _Sa()
            return
        secret, dump = _SECRET.search(body), _DUMP.match(body)
        if secret is not None:
            what = "Ka" if secret[1].endswith("Ka") else secret[1][3:5]
            self._dump[thread] = (what, int(secret[2]), "")
        elif dump is not None and thread in self._dump:
            what, length, digits = self._dump[thread]
            if int(dump[1]) * 2 == len(digits):
                digits += dump[2].replace(" ", "").lower()
                self._dump[thread] = (what, length, digits)
                if len(digits) == 2 * length:
                    sa.keys[what] = digits
        else:
            self._dump.pop(thread, None)
