import re
import string
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pcapdiag.knowledge import loading, records
from pcapdiag.knowledge.base import KnowledgeBase, LogReading
from pcapdiag.knowledge.loading import PLACEHOLDERS, load, parse
from pcapdiag.knowledge.records import PLATFORMS, Cause, Check, DocumentItem, KnowledgeError, Rule, Status

# Written down from the document, state by state; not from the TOML.
DOCUMENT = {
    "NOTHING_LISTED": ["no-interesting-traffic"],
    "MM_WAIT_MSG2": [
        "peer-unreachable",  # no network connectivity, can you ping it?
        "wrong-tunnel-group-address",  # show run tunnel-group
        "wrong-crypto-map-peer",  # show run crypto map, set peer
        "phase1-policy-mismatch",  # show run crypto isakmp, NO_PROPOSAL_CHOSEN
    ],
    "MM_WAIT_MSG3": [
        "vendor-difference",
        "path-loss",  # a router with firewall capabilities
        "pfs-mismatch",  # VMware Edge Gateway
    ],
    "MM_WAIT_MSG4": ["vendor-difference", "path-loss"],
    "MM_WAIT_MSG5": ["psk-mismatch", "udp-4500-blocked"],
    "MM_WAIT_MSG6": ["udp-4500-blocked", "psk-mismatch", "pfs-mismatch"],
    # "jump forward and troubleshoot phase 2", with the phase 2 faults of its debug errors
    "MM_ACTIVE": ["phase2-selector-mismatch", "phase2-proposal-mismatch"],
    # AG_{something}: you are trying Aggressive Mode
    "AM_WAIT_MSG2": ["mode-mismatch"],
    "AM_WAIT_MSG3": ["mode-mismatch"],
    "AM_ACTIVE": ["mode-mismatch"],
    "DEBUG_ERRORS": [
        "phase2-selector-mismatch",  # source and destination the wrong way round
        "phase2-selector-mismatch",  # the static NAT statement
        "phase2-proposal-mismatch",  # transform set
        "identity-mismatch",  # subject alternative name
        "certificate-rejected",  # key usage, chain
        "pfs-mismatch",  # the decrypt error
    ],
}

CAUSE_IDS = [
    "no-interesting-traffic",
    "peer-unreachable",
    "no-ike-listener",
    "udp-500-blocked",
    "udp-4500-blocked",
    "path-loss",
    "fragments-dropped",
    "wrong-tunnel-group-address",
    "wrong-crypto-map-peer",
    "unknown-peer",
    "phase1-policy-mismatch",
    "ike-version-mismatch",
    "mode-mismatch",
    "auth-method-mismatch",
    "psk-mismatch",
    "psk-missing",
    "identity-mismatch",
    "certificate-rejected",
    "vendor-difference",
    "nat-traversal-off",
    "pfs-mismatch",
    "phase2-proposal-mismatch",
    "phase2-selector-mismatch",
    "xauth-failed",
    "peer-lost",
    "stale-sa",
    "scanner",
]

STATES = [
    "NONE",
    "MM_WAIT_MSG2",
    "MM_WAIT_MSG3",
    "MM_WAIT_MSG4",
    "MM_WAIT_MSG5",
    "MM_WAIT_MSG6",
    "MM_ACTIVE",
    "AM_WAIT_MSG2",
    "AM_WAIT_MSG3",
    "AM_ACTIVE",
    "IKE_SA_INIT",
    "IKE_AUTH",
    "NOTHING_LISTED",
]

# The commands that the document names, and a cause that must offer each.
DOCUMENT_COMMANDS = {
    "show crypto isakmp": "no-interesting-traffic",
    "ping": "peer-unreachable",
    "show run tunnel-group": "wrong-tunnel-group-address",
    "show run crypto map": "wrong-crypto-map-peer",
    "show run crypto isakmp": "phase1-policy-mismatch",
    "debug crypto isakmp 200": "phase1-policy-mismatch",
    "more system:running-config": "psk-mismatch",
    "debug crypto condition peer {peer}": "psk-mismatch",
    "debug crypto isakmp": "phase2-selector-mismatch",
    "crypto map <name> <number> set pfs": "pfs-mismatch",
    "peer-id-validate nocheck": "identity-mismatch",
    "ignore-ipsec-keyusage": "certificate-rejected",
    "debug crypto ikev1": "certificate-rejected",
    "tunnel-group <tunnel-group> ipsec-attributes": "identity-mismatch",
    "crypto ca trustpoint <trustpoint>": "certificate-rejected",
}

GROUP = "Group = 192.0.2.1, IP = 192.0.2.1, "
IP = "IP = 192.0.2.1, "
DOCUMENT_LINES = [
    (
        "IKE_DECODE RECEIVED Message (msgid=ce4a3ffe) with payloads : HDR + NOTIFY (11) + NONE (0) total length : 56",
        "phase1-policy-mismatch",
    ),
    (IP + "Received an un-encrypted NO_PROPOSAL_CHOSEN notify message, dropping", "phase1-policy-mismatch"),
    (GROUP + "Received an un-encrypted PAYLOAD_MALFORMED notify message, dropping", "psk-mismatch"),
    (
        GROUP + "Error, peer has indicated that something is wrong with our message. "
        "This could indicate a pre-shared key mismatch.",
        "psk-mismatch",
    ),
    (IP + "Information Exchange processing failed", "phase1-policy-mismatch"),
    (GROUP + "QM FSM error (P2 struct &0x00007fda92308b10, mess id 0xc02b7a5d)!", "phase2-selector-mismatch"),
    (GROUP + "Removing peer from correlator table failed, no match!", "phase2-selector-mismatch"),
    (
        GROUP + "Session is being torn down. Reason: crypto map policy not found",
        "phase2-selector-mismatch",
    ),
    (IP + "No Group found by matching OU(s) from ID payload:   Unknown", "wrong-tunnel-group-address"),
    (IP + "Trying to find group via IKE ID...", "wrong-tunnel-group-address"),
    (IP + "Trying to find group via IP ADDR...", "wrong-tunnel-group-address"),
    (GROUP + "Unable to compare IKE ID against peer cert Subject Alt Name", "identity-mismatch"),
    (
        GROUP + "IKE MM Responder FSM error history (struct &0x00007ffd9e230670)  <state>, <event>:  MM_DONE, "
        "EV_ERROR-->MM_BLD_MSG6, EV_COMPARE_IDS-->MM_BLD_MSG6, EV_CERT_OK-->MM_BLD_MSG6, NullEvent",
        "identity-mismatch",
    ),
    (
        "%ASA-3-717009: Certificate validation failed. Peer certificate key usage is invalid, serial number: 6B",
        "certificate-rejected",
    ),
    (
        "%ASA-3-717027: Certificate chain failed validation. Certificate chain is either invalid or not authorized.",
        "certificate-rejected",
    ),
    (
        GROUP + "Received encrypted Oakley Main Mode packet with invalid payloads, MessID = 0",
        "psk-mismatch",
    ),
    (
        GROUP + "ERROR, had problems decrypting packet, probably due to mismatched pre-shared key. Aborting",
        "psk-mismatch",
    ),
    (IP + "Header invalid, missing SA payload! (next payload = 4)", "psk-mismatch"),
]

# Lines of the document that tell of progress, not of a fault.
DOCUMENT_PROGRESS = [
    IP + "IKE Initiator: New Phase 1, Intf inside, IKE Peer 192.0.2.1 local Proxy Address 192.168.1.0",
    IP + "Oakley proposal is acceptable",
    IP + "Connection landed on tunnel_group 192.0.2.1",
    GROUP + "peer ID type 2 received (FQDN)",
    GROUP + "PHASE 1 COMPLETED",
    GROUP + "sending delete/delete with reason message",
]

# Lines of which the document itself says that the fault was PFS.
DOCUMENT_PFS_LINES = ["invalid payloads, MessID", "had problems decrypting", "Header invalid"]


@pytest.fixture(scope="module")
def base() -> KnowledgeBase:
    return load()


def causes() -> list[Cause]:
    return list(load().causes)


class TestContent:
    @pytest.mark.parametrize(
        ("state", "number", "cause"),
        [(state, number, cause) for state, items in DOCUMENT.items() for number, cause in enumerate(items, 1)],
    )
    def test_every_cause_of_the_document(self, base, state, number, cause):
        entry = base.state(state)
        items = {item.item: item for item in entry.document}
        assert items[number].cause == cause
        assert (state, number) in base.document_items(cause)

    def test_no_cause_that_the_document_does_not_give(self, base):
        assert {s.id: [i.cause for i in s.document] for s in base.states if s.document} == DOCUMENT

    @pytest.mark.parametrize(
        ("state", "number", "words"),
        [
            ("NOTHING_LISTED", 1, ["ping", "show crypto isakmp"]),
            ("MM_WAIT_MSG2", 1, ["ping"]),
            ("MM_WAIT_MSG2", 2, ["show run tunnel-group"]),
            ("MM_WAIT_MSG2", 3, ["show run crypto map", "peer"]),
            ("MM_WAIT_MSG2", 4, ["show run crypto isakmp", "debug crypto isakmp 200", "NO_PROPOSAL_CHOSEN"]),
            ("MM_WAIT_MSG3", 1, ["MM_WAIT_MSG3", "router"]),
            ("MM_WAIT_MSG3", 2, ["router"]),
            ("MM_WAIT_MSG3", 3, ["VMware Edge", "PFS"]),
            ("MM_WAIT_MSG4", 2, ["router"]),
            ("MM_WAIT_MSG5", 2, ["UDP 4500"]),
            ("MM_WAIT_MSG6", 1, ["UDP 4500"]),
            ("MM_WAIT_MSG6", 2, ["more system:running-config", "PAYLOAD_MALFORMED"]),
            ("MM_WAIT_MSG6", 3, ["PFS", "torn down"]),
            ("AM_WAIT_MSG2", 1, ["AG_"]),
            ("DEBUG_ERRORS", 2, ["static NAT"]),
            ("DEBUG_ERRORS", 4, ["peer-id-validate nocheck"]),
            ("DEBUG_ERRORS", 5, ["key usage", "chain", "ignore-ipsec-keyusage"]),
            ("DEBUG_ERRORS", 6, ["PFS", "SA payload"]),
        ],
    )
    def test_what_the_document_says(self, base, state, number, words):
        text = base.state(state).document[number - 1].text
        assert [word for word in words if word not in text] == []

    def test_states(self, base):
        assert {state.id for state in base.states} == {*STATES, "DEBUG_ERRORS"}

    def test_identifiers_are_public_and_stay(self, base):
        assert {cause.id for cause in base.causes} >= set(CAUSE_IDS)

    @pytest.mark.parametrize("cause", causes(), ids=lambda cause: cause.id)
    def test_cause_is_complete(self, cause):
        for text in (cause.meaning, cause.supports, cause.against, cause.decide):
            assert len(text) > 40
            assert text.endswith(".")
        assert len(cause.checks) >= (1 if cause.id == "scanner" else 2)
        if any(cause.id in found for found in DOCUMENT.values()):
            assert any(check.platform == "asa" for check in cause.checks)
        assert cause.visible == (cause.invisible is None)

    @pytest.mark.parametrize(("command", "cause"), DOCUMENT_COMMANDS.items())
    def test_commands_of_the_document(self, base, command, cause):
        checks = [check for check in base.cause(cause).checks if check.platform == "asa"]
        texts = [text for check in checks for text in (check.command or "", check.do, *check.first)]
        assert any(text == command or text.startswith(command + " ") or command in text for text in texts)

    @pytest.mark.parametrize("setting", ["peer-id-validate nocheck", "ignore-ipsec-keyusage"])
    def test_checks_that_weaken_security_say_so(self, base, setting):
        checks = [check for cause in base.causes for check in cause.checks if check.command == setting]
        assert checks
        assert all("WEAKENS SECURITY" in check.do for check in checks)

    @pytest.mark.parametrize("cause", causes(), ids=lambda cause: cause.id)
    def test_placeholders_resolve(self, cause):
        for check in cause.checks:
            for text in (check.do, check.command, check.expect, *check.first, *check.undo):
                fields = {name for _, name, _, _ in string.Formatter().parse(text or "") if name is not None}
                assert fields <= set(PLACEHOLDERS)
            filled = check.fill(peer="192.0.2.1", local="198.51.100.2")
            texts = (filled.do, filled.command or "", filled.expect or "", *filled.first, *filled.undo)
            assert not re.search(r"[{}]", "".join(texts))

    def test_pfs_carries_its_remark(self, base):
        assert "RFC 2409 §5.5" in base.cause("pfs-mismatch").remark
        assert "Quick Mode" in base.cause("pfs-mismatch").remark

    def test_ikev1_error_notifies_are_all_there(self, base):
        assert {n.number for n in base.notifies if n.version == 1} >= {
            *range(1, 31),
            24576,
            24578,
            36136,
            36137,
        }

    @pytest.mark.parametrize(
        ("name", "number"),
        [
            ("UNSUPPORTED_CRITICAL_PAYLOAD", 1),
            ("INVALID_IKE_SPI", 4),
            ("INVALID_MAJOR_VERSION", 5),
            ("INVALID_SYNTAX", 7),
            ("NO_PROPOSAL_CHOSEN", 14),
            ("INVALID_KE_PAYLOAD", 17),
            ("AUTHENTICATION_FAILED", 24),
            ("SINGLE_PAIR_REQUIRED", 34),
            ("NO_ADDITIONAL_SAS", 35),
            ("INTERNAL_ADDRESS_FAILURE", 36),
            ("FAILED_CP_REQUIRED", 37),
            ("TS_UNACCEPTABLE", 38),
            ("TEMPORARY_FAILURE", 43),
            ("CHILD_SA_NOT_FOUND", 44),
            ("COOKIE", 16390),
            ("REDIRECT", 16407),
        ],
    )
    def test_ikev2_notifies(self, base, name, number):
        assert base.notify(name, 2).number == number

    def test_prose_is_unwrapped(self, base):
        texts = [c.meaning for c in base.causes] + [s.wire for s in base.states]
        texts += [n.meaning for n in base.notifies] + [d.meaning for d in base.debug_lines]
        assert not [text for text in texts if re.search(r"(?<!\n)\n(?!\n)|  ", text)]


class TestLookups:
    @pytest.mark.parametrize(
        ("name", "state"),
        [
            ("mm_wait_msg6", "MM_WAIT_MSG6"),
            ("MM_NO_STATE", "MM_WAIT_MSG2"),
            ("MM_SA_SETUP", "MM_WAIT_MSG4"),
            ("MM_KEY_EXCH", "MM_WAIT_MSG6"),
            ("QM_IDLE", "MM_ACTIVE"),
            ("AG_", "AM_WAIT_MSG2"),
            ("AG_INIT_EXCH", "AM_WAIT_MSG3"),
            ("STATE_MAIN_I3", "MM_WAIT_MSG6"),
        ],
    )
    def test_state(self, base, name, state):
        assert base.state(name).id == state

    def test_unknown_names_are_none(self, base):
        assert base.state("MM_WAIT_MSG7") is None
        assert base.cause("gremlins") is None
        assert base.notify("NO_SUCH_NOTIFY") is None
        assert base.notify(9999) is None
        assert base.debug("all is well") is None
        assert base.document_items("scanner") == ()

    def test_cause(self, base):
        assert base.cause(" PSK-Mismatch").id == "psk-mismatch"

    def test_notify(self, base):
        assert base.notify(14).name == "NO_PROPOSAL_CHOSEN"
        assert base.notify("14", 2).version == 2
        assert base.notify("no-proposal-chosen").version == 1
        assert base.notify("Invalid ID Information").number == 18
        assert base.notify(17, 1).name == "INVALID_KEY_INFORMATION"
        assert base.notify(17, 2).name == "INVALID_KE_PAYLOAD"
        assert base.notify("COOKIE").version == 2

    def test_document_items(self, base):
        assert base.document_items("pfs-mismatch") == (
            ("MM_WAIT_MSG3", 3),
            ("MM_WAIT_MSG6", 3),
            ("DEBUG_ERRORS", 6),
        )

    @pytest.mark.parametrize(("line", "cause"), DOCUMENT_LINES)
    def test_debug_lines_of_the_document(self, base, line, cause):
        entry = base.debug(f"Apr 01 14:48:48 [IKEv1]: {line}")
        assert entry.document
        assert entry.platform == "asa"
        assert entry.causes[0] == cause

    @pytest.mark.parametrize("line", DOCUMENT_PROGRESS)
    def test_progress_lines_of_the_document(self, base, line):
        assert base.debug(line).document
        assert base.debug(line).causes == ()

    @pytest.mark.parametrize("fragment", DOCUMENT_PFS_LINES)
    def test_decrypt_error_that_was_pfs(self, base, fragment):
        line = next(line for line, _ in DOCUMENT_LINES if fragment in line)
        assert "pfs-mismatch" in base.debug(line).causes

    def test_debug_line_in_other_case_and_spacing(self, base):
        pasted = "received an UN-ENCRYPTED\n   payload_malformed  notify message, dropping"
        assert base.debug(pasted) == base.debug("Received an un-encrypted PAYLOAD_MALFORMED notify message")

    def test_debug_prefers_the_closer_fit(self, base):
        line = "Received non-routine Notify message: No proposal chosen (14)"
        assert base.debug(line).causes[0] == "phase2-proposal-mismatch"

    def test_every_debug_entry_finds_itself(self, base):
        for entry in base.debug_lines:
            assert base.debug(" … ".join(entry.contains)).contains == entry.contains

    @pytest.mark.parametrize(
        ("topic", "state"),
        [
            ("mm_wait_msg6", "MM_WAIT_MSG6"),
            ("MM-wait msg6?", "MM_WAIT_MSG6"),
            ("qm_idle", "MM_ACTIVE"),
            ("There are no IKEv1 SAs", "NOTHING_LISTED"),
            ("MM4", "MM_WAIT_MSG4"),
            ("mm6?", "MM_WAIT_MSG6"),
            ("AM3", "AM_WAIT_MSG3"),
            ("MM1", "NONE"),
            ("AM1", "NONE"),
            ("    Rekey   : no              State   : MM_WAIT_MSG6", "MM_WAIT_MSG6"),
            ("10.0.0.1  192.0.2.1  MM_NO_STATE  0  ACTIVE (deleted)", "MM_WAIT_MSG2"),
        ],
    )
    def test_find_state(self, base, topic, state):
        assert base.find(topic) is base.state(state)

    def test_find_the_other_kinds(self, base):
        assert base.find("PSK_mismatch") is base.cause("psk-mismatch")
        assert [(n.version, n.name) for n in base.find("17")] == [
            (1, "INVALID_KEY_INFORMATION"),
            (2, "INVALID_KE_PAYLOAD"),
        ]
        assert [n.version for n in base.find("no proposal-chosen")] == [1, 2]
        assert [n.version for n in base.find("cookie")] == [2]
        for entry in base.debug_lines:
            assert base.find(f"log: {' … '.join(entry.contains)} (x)").contains == entry.contains

    @pytest.mark.parametrize(
        "topic",
        [
            "",
            " ",
            "?",
            "MM7",
            "AM4",
            "MM0",
            "9" * 5000,
            "-1",
            "x" * 70000,
            "a_" * 30000,
            "MM_WAIT_MSG2 or MM_WAIT_MSG3",
        ],
    )
    def test_find_nothing(self, base, topic):
        assert base.find(topic) is None
        assert len(base.suggest(topic)) <= 5

    @pytest.mark.parametrize(
        ("topic", "first"),
        [
            ("mm_wait_msg7", "MM_WAIT_MSG6"),
            ("psk-mismach", "psk-mismatch"),
            ("psk", "psk-mismatch"),
            ("no proposal chosn", "NO_PROPOSAL_CHOSEN"),
            ("QM FSM", "QM FSM error"),
            (
                "[IKEv1]: Group = 192.0.2.1, IP = 192.0.2.1, All SA proposal found unacceptable!",
                "All SA proposals found",
            ),
        ],
    )
    def test_suggest(self, base, topic, first):
        near = base.suggest(topic)
        assert near[0].startswith(first)
        assert all(base.find(name) is not None for name in near)

    def test_suggest_nothing(self, base):
        assert base.suggest("zzzzzz") == ()

    def test_every_name_is_found(self, base):
        for state in base.states:
            assert all(base.find(name) is state for name in (state.id, *state.aliases))
        assert all(base.find(cause.id) is cause for cause in base.causes)
        for entry in base.notifies:
            assert entry in base.find(entry.name)
            assert entry in base.find(str(entry.number))

    def test_read_log(self, base):
        bad = "IP = 192.0.2.1, QM FSM error (P2 struct &0x1)!"
        reading = base.read_log(["", "hello\n", f"1 {bad}\n", "PHASE 1 COMPLETED", f"2 {bad}"])
        assert [(known.number, known.count, known.text) for known in reading.known] == [
            (3, 2, f"1 {bad}"),
            (4, 1, "PHASE 1 COMPLETED"),
        ]
        assert reading.known[0].entry is base.debug(bad)
        assert reading.unknown == 1
        assert base.read_log([]) == LogReading((), 0)

    def test_checks_for(self, base):
        for cause in base.causes:
            for platform in PLATFORMS:
                shown = cause.checks_for(platform)
                assert {check.platform for check in shown} <= {platform, "any"}
                assert list(shown) == [check for check in cause.checks if check in shown]

    def test_first_checks(self, base):
        found = base.first_checks(base.state("MM_WAIT_MSG2"))
        assert [item.item for item, _ in found] == [1, 2, 3, 4]
        assert found[0][1].command == "ping {peer}"
        assert [item.item for item, _ in base.first_checks(base.state("DEBUG_ERRORS"))] == [1, 3, 4, 5, 6]
        assert base.first_checks(base.state("IKE_AUTH")) == ()

    def test_load_from_a_zipped_installation(self, tmp_path):
        package = Path(loading.__file__).parents[1]
        with zipfile.ZipFile(tmp_path / "pcapdiag.zip", "w") as archive:
            modules = (
                "__init__",
                "record",
                "version",
                "knowledge/__init__",
                "knowledge/base",
                "knowledge/kinds",
                "knowledge/loading",
                "knowledge/records",
                "knowledge/platform_names",
            )
            for path in modules:
                archive.write(package / f"{path}.py", f"pcapdiag/{path}.py")
            for path in package.glob("knowledge/**/*.toml"):
                archive.write(path, path.relative_to(package.parent))
        code = (
            f"import sys; sys.path.insert(0, {str(tmp_path / 'pcapdiag.zip')!r})\n"
            "from pcapdiag.knowledge import loading\n"
            "assert '.zip' in loading.__file__\n"
            "print(len(loading.load().causes), 'importlib.resources' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stdout.split() == [str(len(load().causes)), "False"]

    def test_load_reads_once(self):
        assert load() is load()

    def test_records_are_frozen(self, base):
        with pytest.raises(AttributeError):
            base.causes[0].title = "other"


CAUSE = """
title = "A"
meaning = "m"
supports = "s"
against = "g"
decide = "d"
look = "l"
visible = true

[[check]]
end = "either"
platform = "asa"
do = "Look"

[[document]]
state = "S"
item = 1
text = "t"

[[rule]]
status = "likely"
weight = 5
says = "Because."
all_of = ["silence"]
basis = "RFC 0"

[[rule]]
with_keys = true
status = "confirmed"
weight = 9
says = "It says so."
all_of = ["opened-*"]
basis = "RFC 0"
"""
STATE = """
[[state]]
id = "S"
end = "both"
title = "T"
meaning = "m"
wire = "w"
aliases = ["X"]
"""
NOTIFY = """
[[notify]]
version = 1
name = "N"
number = 5
meaning = "m"
causes = ["a"]
"""
WHOLE = {
    "index.toml": 'schema_version = 1\ncauses = ["a"]\n',
    "states.toml": STATE,
    "notifies.toml": NOTIFY,
    "causes/a.toml": CAUSE,
}


def changed(name: str, old: str, new: str) -> dict[str, str]:
    """The smallest knowledge base with one thing changed in one file."""
    assert old in WHOLE[name]
    return {**WHOLE, name: WHOLE[name].replace(old, new, 1)}


class TestLoader:
    def test_smallest(self):
        base = parse(WHOLE)
        assert base.causes[0].checks == (Check("either", "asa", "Look"),)
        assert base.states[0].document == (DocumentItem(1, "a", "t"),)

    def test_rules_of_what_keys_show_stand_first(self):
        assert parse(WHOLE).rules == (
            Rule("a", Status.CONFIRMED, 9, "It says so.", ("opened-*",), basis="RFC 0", with_keys=True),
            Rule("a", Status.LIKELY, 5, "Because.", ("silence",), basis="RFC 0"),
        )

    def test_what_is_built_is_what_was_read(self):
        scope = {name: getattr(records, name) for name in dir(records)} | {"KnowledgeBase": KnowledgeBase}
        assert eval(repr(load()), scope) == load()

    def test_paragraphs(self):
        files = changed("causes/a.toml", 'meaning = "m"', 'meaning = """\none\n  two\n\n three \n"""')
        assert parse(files).causes[0].meaning == "one two\n\nthree"

    @pytest.mark.parametrize(
        ("name", "old", "new", "message"),
        [
            (
                "index.toml",
                "schema_version = 1",
                "schema_version = 2",
                "index.toml: schema_version: Invalid enum value 2",
            ),
            ("index.toml", "schema_version = 1", "", "index.toml: Object missing required field `schema_version`"),
            ("index.toml", "causes", "extra = 1\ncauses", "index.toml: Object contains unknown field `extra`"),
            ("index.toml", '["a"]', '["a", "b"]', "causes/b.toml: there is no such file"),
            ("index.toml", '["a"]', '["a", "a"]', "index.toml: causes: 'a' stands there twice"),
            ("index.toml", "schema_version", "= schema_version", "index.toml: not TOML: "),
            ("causes/a.toml", 'supports = "s"', "", "causes/a.toml: Object missing required field `supports`"),
            ("causes/a.toml", 'supports = "s"', 'supports = " "', "causes/a.toml: supports: Expected `str` matching"),
            ("causes/a.toml", 'supports = "s"', "supports = 1", "causes/a.toml: supports: Expected `str`, got `int`"),
            ("causes/a.toml", 'supports = "s"', 'supports = "s"\nsuports = "s"', "unknown field `suports`"),
            (
                "causes/a.toml",
                'title = "A"',
                f'title = "{"A" * 61}"',
                "causes/a.toml: title: Expected `str` of length <= 60",
            ),
            ("causes/a.toml", "visible = true", "visible = 1", "causes/a.toml: visible: Expected `bool`"),
            ("causes/a.toml", "visible = true", "visible = false", "causes/a.toml: invisible: is for a cause that no"),
            ("causes/a.toml", "visible = true", 'visible = true\ninvisible = "i"', "causes/a.toml: invisible: is for"),
            (
                "causes/a.toml",
                'end = "either"',
                'end = "both"',
                "causes/a.toml: check 1: end: Invalid enum value 'both'",
            ),
            ("causes/a.toml", '"asa"', '"axa"', "causes/a.toml: check 1: platform: does not know 'axa'"),
            ("causes/a.toml", 'do = "Look"', 'do = "Look at {host}"', "check 1: do: unknown placeholder '{host}'"),
            ("causes/a.toml", 'do = "Look"', 'do = "Look {"', "causes/a.toml: check 1: do: unknown placeholder '{'"),
            (
                "causes/a.toml",
                'do = "Look"',
                'do = "Look"\ncommand = "x {}"',
                "check 1: command: unknown placeholder '{}'",
            ),
            (
                "causes/a.toml",
                'do = "Look"',
                'do = "Look"\nwhen = ["nat-t"]\nunless = ["natt"]',
                "unless: 'natt' is no kind",
            ),
            ("causes/a.toml", "item = 1", "item = 2", "causes/a.toml: document: item 2 of S stands where 1 is due"),
            ("causes/a.toml", 'state = "S"', 'state = "T"', "causes/a.toml: document: state: does not know 'T'"),
            ("causes/a.toml", "weight = 5", "weight = '5'", "causes/a.toml: rule 1: weight: Expected `int`, got `str`"),
            ("causes/a.toml", '"likely"', '"likly"', "causes/a.toml: rule 1: status: Invalid enum value 'likly'"),
            ("causes/a.toml", '["silence"]', '["silenze"]', "rule 1: all_of: 'silenze' is no kind of evidence"),
            ("causes/a.toml", '["silence"]', "[]", "causes/a.toml: rule 1: all_of: a rule rests on evidence"),
            ("causes/a.toml", 'basis = "RFC 0"', "", "causes/a.toml: rule 1: basis: missing"),
            (
                "causes/a.toml",
                "weight = 5",
                'weight = 5\ncause = "b"',
                "causes/a.toml: rule 1: cause: is that of the file",
            ),
            (
                "causes/a.toml",
                "weight = 9",
                "weight = 9\nhabit = true",
                "rule 2: habit: what some makes do never confirms",
            ),
            ("states.toml", '["X"]', '["X", "X"]', "states.toml: id or alias: 'X' stands there twice"),
            ("states.toml", '["X"]', "[1]", "states.toml: state 'S': aliases[0]: Expected `str`, got `int`"),
            ("states.toml", STATE, STATE + STATE, "states.toml: id or alias: 'S' stands there twice"),
            (
                "notifies.toml",
                "number = 5",
                'number = "5"',
                "notifies.toml: notify 'N': number: Expected `int`, got `str`",
            ),
            ("notifies.toml", "version = 1", "version = 3", "notifies.toml: notify 'N': version: Invalid enum value 3"),
            ("notifies.toml", '["a"]', '["a", "a"]', "notifies.toml: notify 'N': causes: 'a' stands there twice"),
            ("notifies.toml", '["a"]', '["b"]', "notifies.toml: notify 'N': causes: does not know 'b'"),
            ("notifies.toml", NOTIFY, NOTIFY + NOTIFY, "notifies.toml: version and number: (1, 5) stands there twice"),
        ],
    )
    def test_faults(self, name, old, new, message):
        with pytest.raises(KnowledgeError, match=re.escape(message)) as caught:
            parse(changed(name, old, new))
        assert "\n" not in str(caught.value)


COMMANDS = """
schema_version = 1
platform = "asa"

[sources]
doc = "https://example.com/doc"

[command.look]
run = "show it {peer}"
does = "show"
source = "doc"

[command.more]
run = "debug it"
does = "debug"
ike = 1
software = "9.1 and later"
first = ["debug only {peer}"]
undo = ["undebug all"]
source = "doc"

[command.set]
run = "set it"
does = "change"
source = "doc"

[[check]]
causes = ["a"]
use = "look"
end = "either"
do = "Look"

[[check]]
causes = ["a"]
use = "more"
end = "refuser"
do = "Watch {peer}"
expect = "A line"
when = ["notify-x"]

[[check]]
causes = ["a"]
use = "set"
end = "either"
do = "Set it"
"""


class TestCommands:
    def test_joined(self):
        files = changed("causes/a.toml", CAUSE[CAUSE.index("[[check]]") : CAUSE.index("[[document]]")], "")
        (cause,) = parse({**files, "commands/asa.toml": COMMANDS}).causes
        assert [(c.platform, c.command, c.does, c.ike) for c in cause.checks] == [
            ("asa", "show it {peer}", "show", None),
            ("asa", "debug it", "debug", 1),
            ("asa", "set it", "change", None),
        ]
        filled = cause.checks[1].fill(peer="192.0.2.1", local="192.0.2.2")
        assert (filled.first, filled.undo) == (("debug only 192.0.2.1",), ("undebug all",))
        assert filled.source == "https://example.com/doc"
        assert [c.command for c in cause.in_version(2).checks] == ["show it {peer}", "set it"]
        assert not cause.checks[1].fits(1, ())
        assert cause.checks[1].fits(1, ("notify-x",))
        assert not cause.checks[1].fits(2, ("notify-x",))

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('platform = "asa"', 'platform = "ios"', "commands/asa.toml: platform: is not 'asa'"),
            ('undo = ["undebug all"]\n', "", "commands/asa.toml: command 'more': undo: missing: nothing ends"),
            ('undo = ["undebug all"]', "undo = []", "command 'more': undo: missing: nothing ends this debug"),
            ('does = "show"', 'does = "look"', "commands/asa.toml: command 'look': does: Invalid enum value 'look'"),
            ('source = "doc"', 'source = "book"', "commands/asa.toml: command 'look': source: does not know 'book'"),
            (
                'does = "show"\nsource',
                'does = "show"\nsauce',
                "commands/asa.toml: command 'look': Object contains unknown field `sauce`",
            ),
            ("ike = 1", "ike = 3", "commands/asa.toml: command 'more': ike: Invalid enum value 3"),
            ('run = "show it {peer}"', 'run = "show it {host}"', "check 1: command: unknown placeholder '{host}'"),
            ('do = "Watch {peer}"', 'do = "Watch {"', "commands/asa.toml: check 2: do: unknown placeholder '{'"),
            ('use = "look"', 'use = "watch"', "commands/asa.toml: check 1: use: does not know 'watch'"),
            ('use = "look"', 'use = "set"', "'set' changes something for 'a' before anything is looked at"),
            ('causes = ["a"]', 'causes = ["b"]', "commands/asa.toml: check 1: causes: does not know 'b'"),
            ('do = "Set it"', 'do = "Set it"\nike = 4', "commands/asa.toml: check 3: ike: Invalid enum value 4"),
            ('use = "set"', 'use = "look"', "commands/asa.toml: command: 'set' is used by no check"),
            ("schema_version = 1", "schema_version =", "commands/asa.toml: not TOML: "),
        ],
    )
    def test_faults(self, old, new, message):
        assert old in COMMANDS
        with pytest.raises(KnowledgeError, match=re.escape(message)) as caught:
            parse({**WHOLE, "commands/asa.toml": COMMANDS.replace(old, new, 1)})
        assert "\n" not in str(caught.value)


def test_huawei_and_check_point_say_why_they_refused(base):
    """The end that refused has a look at its own reasons, where its vendor documents one."""
    for cause in ("psk-mismatch", "phase1-policy-mismatch", "phase2-proposal-mismatch", "phase2-selector-mismatch"):
        looks = [c for c in base.cause(cause).checks if c.platform == "huawei" and c.end == "refuser"]
        assert "display ike error-info" in {c.command for c in looks}
    drops = [c for c in base.cause("udp-500-blocked").checks if c.platform == "checkpoint" and c.does == "debug"]
    assert [c.undo for c in drops] == [("fw ctl debug 0",)]
