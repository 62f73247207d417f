"""Which rules of the ranking decide on which wires: what `tests/rules_seen.json` lists, and how that list is made.

Run as a program (`python -m tests.diagnosis.rules_seen`) it writes the list anew from all captures and scenes; the
reasons that stand there stay. A rule is named by its cause, its status and its kinds of evidence: `?` is in front of
those of which one has to be there, `!` in front of those that must not be.

    wires    -- captures that show the rule, of different makes where there are; "with keys": with the keys beside it
    scenes   -- rules that no capture shows: hand-made scenes that do, and why no capture does
    unseen   -- rules that neither shows: which test does, or what they are for, or why they should go
"""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pcapdiag.diagnosis.causes.ranking import rules_of
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.knowledge import loading
from pcapdiag.knowledge.kinds import kind_of
from pcapdiag.knowledge.records import Rule
from pcapdiag.pipeline import analyze
from tests import CAPTURES, SHARED
from tests.diagnosis.opened import OPENED_SCENES
from tests.diagnosis.scenarios import diagnosed
from tests.diagnosis.scenes import SCENES, made

RULES = loading.load().rules
_RULES_OF = {with_keys: rules_of(loading.load(), with_keys=with_keys) for with_keys in (False, True)}
LIST = Path(__file__).parents[1] / "rules_seen.json"
KEYS = " with keys"
MOST = 3
"""Wires, or scenes, that are listed for a rule."""


def key(rule: Rule) -> str:
    """A rule by what it asks for, so that another weight or wording does not rename it."""
    kinds = (*rule.all_of, *(f"?{k}" for k in rule.any_of), *(f"!{k}" for k in rule.none_of))
    return " ".join((f"{rule.cause} {rule.status.value}:", *sorted(kinds)))


def fits(rule: Rule, kinds: set[str]) -> bool:
    """Whether a rule fits evidence of these kinds."""

    def there(pattern: str) -> bool:
        return any(fnmatchcase(k, pattern) for k in kinds) if "*" in pattern else pattern in kinds

    if rule.any_of and not any(there(p) for p in rule.any_of):
        return False
    return all(there(p) for p in rule.all_of) and not any(there(p) for p in rule.none_of)


def deciding(diagnosis: Diagnosis) -> Iterator[Rule]:
    """The rules that decide how the causes stand in one exchange: the first of each cause that fits."""
    if not diagnosis.causes:
        return
    outcome = diagnosis.stop.outcome
    kinds = {kind for item in diagnosis.evidence for kind in item.kinds}
    kinds |= {diagnosis.exchange.mode.value, outcome.value}
    if outcome not in (Outcome.COMPLETED, Outcome.PARTIAL):
        kinds.add("unfinished")
    for rules in _RULES_OF[any(kind_of(kind).keys for kind in kinds)].values():
        found = next((rule for rule in rules if fits(rule, kinds)), None)
        if found is not None:
            yield found


def path_of(wire: str) -> Path:
    """The capture of a wire in the list: `shared/…` lies beside the checkout, all else in it."""
    name = wire.removesuffix(KEYS)
    return SHARED / name.removeprefix("shared/") if name.startswith("shared/") else CAPTURES.parent / name


@cache
def of_wire(wire: str) -> frozenset[str]:
    """The rules that decide on a wire."""
    path = path_of(wire)
    report = analyze(path, keys=path.parent / "keys") if wire.endswith(KEYS) else analyze(path)
    return frozenset(key(rule) for found in report.diagnoses for rule in deciding(found))


@cache
def of_scene(name: str) -> frozenset[str]:
    """The rules that decide in a scene."""
    found: Iterable[Diagnosis] = (OPENED_SCENES[name](),) if name in OPENED_SCENES else diagnosed(*made(name))
    return frozenset(key(rule) for diagnosis in found for rule in deciding(diagnosis))


def scenes() -> list[str]:
    """All scenes by name."""
    return [*SCENES, *OPENED_SCENES]


def wires() -> Iterator[str]:
    """Every capture that there is, without keys and with those beside it."""
    for folder, name in ((CAPTURES, "captures"), (SHARED, "shared")):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".pcap", ".pcapng", ".cap"):
                wire = f"{name}/{path.relative_to(folder).as_posix()}"
                yield wire
                if (path.parent / "keys").is_dir():
                    yield wire + KEYS


ORDER = ("captures/", "shared/third-party/", "shared/lab", "shared/field/g", "shared/faults/", "shared/field/vary/")
"""Where a wire is looked for first: in the checkout, then on real wires, then on what was rebuilt or altered."""
MAKES = (
    (r"*/third-party/*cisco*", "Cisco"),
    (r"*/third-party/*huawei*", "Huawei"),
    (r"*/xelerance-Openswan/*", "Openswan"),
    (r"*/the-tcpdump-group-tcpdump/isakmp4500.pcap", "FreeS/WAN or Openswan"),
    (r"*/the-tcpdump-group-tcpdump/ikev2pI2.pcap", "FreeS/WAN or Openswan"),
    (r"*/ipsec_client.pcap", "Windows"),
    (r"*/libreswan-libreswan/*", "Openswan, an input of libreswan's tests"),
    (r"*/third-party/*synthetic*", "made by hand"),
    (r"*/OISF-suricata-verify/*", "made by hand"),
    (r"*/corelight-zeek-spicy-ipsec/ipsec-ikev1-*", "altered"),
    (r"*/the-tcpdump-group-tcpdump/*", "altered"),
    (r"*/third-party/*", "make not known"),
    (r"*/field/vary/*", "a variation made by script"),
    (r"*/field/g33.pcap", "rebuilt from a report of Openswan"),
    (r"*/field/g39.pcap", "rebuilt from a report of Cisco"),
    (r"*/field/*", "rebuilt from a report"),
    (r"*/faults/*", "a capture of the lab, altered"),
    (r"captures/ikev2-libreswan*", "strongSwan, libreswan 4.10"),
    (r"captures/*libreswan*", "libreswan 4.10"),
    (r"captures/scan-*", "ike-scan, strongSwan"),
    (r"*/20*-ikescan-*", "ike-scan, strongSwan"),
    (r"*/*vpnc*", "vpnc, strongSwan"),
    (r"*/*lsw-lsw*", "libreswan 4.10"),
    (r"*/19g-lsw-initiator/*", "libreswan 4.10, strongSwan"),
    (r"*/*lsw*", "strongSwan, libreswan 4.10"),
    (r"*/a19-oi-oi-*", "OpenIKED 7.2"),
    (r"*/a15-v1-to-oi/*", "strongSwan, OpenIKED 7.2"),
    (r"*/*-ss-iked-*", "strongSwan, OpenIKED 7.2"),
    (r"*/*-iked-ss-*", "OpenIKED 7.2, strongSwan"),
    (r"*", "strongSwan 5.9.8"),
)
"""Whose wires they are, the initiator's make first; by their vendor IDs, or by what the lab ran."""

NOBODYS = ("a variation made by script", "a capture of the lab, altered", "made by hand", "altered")


def make_of(wire: str) -> str:
    """Whose wire it is."""
    return next(make for pattern, make in MAKES if fnmatchcase(wire, pattern))


def chosen(found: Iterable[str]) -> list[str]:
    """A few of these wires: of different makes, without keys where there are such, and the best sort first."""
    taken: dict[str, str] = {}
    for wire in sorted(found, key=lambda w: (_sort(w), w.endswith(KEYS), w)):
        taken.setdefault(make_of(wire), wire)
    # What was altered or made by hand shows a rule, but no make; it stands only where nothing better does.
    real = [wire for make, wire in taken.items() if make not in NOBODYS]
    return (real or list(taken.values()))[:MOST]


def _sort(wire: str) -> int:
    return next(n for n, start in enumerate(ORDER) if wire.startswith(start))


def main() -> None:
    """Write the list anew."""
    old = json.loads(LIST.read_text(encoding="utf-8")) if LIST.exists() else {"scenes": {}, "unseen": {}}
    by_wire: dict[str, list[str]] = {}
    for wire in wires():
        for name in of_wire(wire):
            by_wire.setdefault(name, []).append(wire)
    by_scene: dict[str, list[str]] = {}
    for scene in scenes():
        for name in of_scene(scene):
            by_scene.setdefault(name, []).append(scene)
    reasons = {name: row["reason"] for name, row in old["scenes"].items()} | old["unseen"]
    new: dict[str, dict[str, Any]] = {"wires": {}, "scenes": {}, "unseen": {}}
    for name in (key(rule) for rule in RULES):
        if name in by_wire:
            new["wires"][name] = chosen(by_wire[name])
        elif name in by_scene:
            new["scenes"][name] = {"scenes": by_scene[name][:MOST], "reason": reasons.get(name, "")}
        else:
            new["unseen"][name] = reasons.get(name, "")
    LIST.write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
