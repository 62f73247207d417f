"""The kinds of evidence: each is declared once, here, with what it says and what follows from it.

A kind is a stable public name: rules wait for it, JSON and tables show it. A family is declared with `*` in place of
what varies, as in `notify-*`; where several fit, the one with the most letters of its own counts. What nothing declares
is refused: in rules and checks when they are loaded, in facts when they are gathered.

`*` stands for any letters here and in rules, none included.
"""

from functools import cache

from pcapdiag.record import Record


class UndeclaredKindError(LookupError):
    """A kind of evidence that the table does not have. The message is one line and names it."""


class Kind(Record, frozen=True):
    """A kind of evidence, or a family of them.

    name -- with `*` where something varies; says -- what evidence of it shows
    shown -- it is worth a line although no cause refers to it: it tells where one stands, or who one deals with
    trouble -- behind a phase 1 that completed, it shows that what followed failed
    phase2 -- it is about Quick Mode or a Child SA
    keys -- it is there whenever keys were tried on the messages
    context -- it holds of an exchange as a whole, has no frames, and is for rules alone
    """

    name: str
    says: str
    shown: bool = False
    trouble: bool = False
    phase2: bool = False
    keys: bool = False
    context: bool = False


K = Kind
KINDS: tuple[Kind, ...] = (
    # --- the exchange as a whole
    *(K(name, f"Phase 1 is done in this way: {name}.", context=True) for name in ("main", "aggressive", "ikev2")),
    K("completed", "Phase 1 completed.", shown=True, context=True),
    K("stalled", "A message that is due did not come.", context=True),
    K("rejected", "One end refused.", context=True),
    K("superseded", "Another exchange took over.", context=True),
    K("inconclusive", "The capture does not show how it ended.", context=True),
    K("partial", "The capture begins in the middle.", context=True),
    K("unknown", "Nothing of phase 1 is in the capture.", context=True),
    K("unfinished", "Phase 1 did not complete.", context=True),
    # --- where it stopped
    K("stopped-after-*", "The last message of phase 1 that went by; `nothing` where none did."),
    K("ike-sa-init-due-again", "The answer to IKE_SA_INIT asks for that request once more."),
    K("refused-by-*", "This end refused the exchange."),
    K("deleted-at-once-by-*", "This end deleted the IKE SA right behind IKE_AUTH."),
    K("v2-auth-refused", "The responder refused IKE_AUTH; what it says is encrypted."),
    K("v2-auth-refused-by-initiator", "The initiator refused the responder's IKE_AUTH response."),
    K("answer-with-certificate", "The answer to IKE_AUTH that is refused is as large as one with a certificate."),
    K("eap-stops", "The initiator does not go on behind a question of EAP."),
    K("eap-ends-short", "The last answer in EAP has room for little more than success or failure."),
    K("eap-round-unanswered", "A further request of IKE_AUTH, as in EAP, gets no answer."),
    K("eap-may-go-on", "The answer to IKE_AUTH may be the first question of EAP, and nothing follows."),
    K("eap-rounds", "IKE_AUTH took several rounds, as user authentication by EAP does."),
    K("silence", "A reply was due, and none came until the capture ended."),
    K("silence-after-*", "The initiator's message was repeated, or waited long enough, and nothing answered."),
    K("no-reply-yet", "The capture ends before a reply was overdue."),
    K("icmp-instead-of-reply", "ICMP errors came in the place of the reply."),
    K("asked-once", "The message that is not answered was sent once and never again."),
    K("no-retransmission", "Message 1 was sent once and never again."),
    K("only-initiator-repeats", "The initiator sends again, and the responder does not."),
    K("responder-repeats-last", "The responder repeats its message each time that the initiator does."),
    *(
        kind
        for side in ("initiator", "responder")
        for kind in (
            K(f"{side}-repeats-behind-answer", f"The {side} sends its message again although the answer went by."),
            K(f"{side}-does-not-repeat", f"The {side}, which would send again for want of an answer, does not."),
            K(f"{side}-does-not-take-answer", f"The {side} goes on asking: the answer arrives and is of no use to it."),
            K(f"{side}-repeats-like-libreswan", "It repeats on libreswan's schedule, which tells what was read."),
        )
    ),
    K("schedule", "The times of retransmission fit the schedule of known senders.", shown=True),
    K("mm6-sent", "The responder sent message 6: it could read message 5 and took it."),
    K("initiator-refused-mm6", "The initiator did not go on after message 6."),
    K("sealed-refusal-by-*", "This end sent an encrypted Informational in the place of the reply."),
    K("refusal-once", "The responder refused once and then left copies unanswered: it dropped the exchange."),
    K("refusal-understood", "The one that was refused stopped at once: it could read why."),
    K("refusal-not-understood", "The one that was refused went on: it could not read it, or does not heed it."),
    K("refusal-may-name-sa", "The encrypted refusal has room to name the ISAKMP SA, as a Delete does."),
    K("refusal-too-short-to-name-sa", "The encrypted refusal has no room to name the ISAKMP SA."),
    K("unseen-message-5-refused", "Message 5 is not in the capture, and was refused."),
    K("unseen-message-5-refused-again", "Message 5 is not in the capture, and was refused again and again."),
    K("notify-*", "A notify in clear, by its name."),
    # --- what does not belong
    K("answers-no-ike", "Something answers on the port that is no IKE."),
    K("answered-elsewhere", "The answer came from another address than the one that was written to."),
    K("stray-message", "A message under these cookies came from neither end.", shown=True),
    K("stray-notify", "An error notify in clear that answers nothing in the capture.", shown=True),
    K("implausible-message", "A message that cannot be what it says it is.", shown=True),
    K("no-such-message", "A message that no mode of IKE has."),
    K("malformed-message", "A message in clear does not hold what it declares.", shown=True),
    K("one-direction", "The capture holds packets of one end only, and the other sends too.", shown=True),
    # --- the path
    *(
        K(f"{before}icmp-*", f"An ICMP error, by what it says and who sent it{when}.", trouble=before == "later-")
        for before, when in (
            ("", ""),
            ("repeated-", ", about several transmissions"),
            ("remark-", "; what it quotes may have been delivered"),
            ("later-", ", behind a phase 1 that completed"),
            ("overtaken-", "; the peer was heard from after it"),
            ("back-", ", about the responder's answers"),
        )
    ),
    K("arp-unanswered", "Somebody asks by ARP for the responder's address, and nothing answers.", shown=True),
    K("icmp-about-4500", "An ICMP error quotes a packet to UDP 4500."),
    K("nat", "There is NAT between the two ends.", shown=True),
    K("nat-*", "There is NAT at this end.", shown=True),
    K("nat-beyond-*", "The other end knows this one by an address that is not in the capture.", shown=True),
    K("nat-before-*", "This end was translated before the capture point.", shown=True),
    K("nat-faked-*", "This end sends a NAT-D hash that fits no address, so that NAT-T is used.", shown=True),
    K("no-nat", "The NAT-D hashes agree with the addresses: no NAT.", shown=True),
    K("no-nat-t-*", "This end does not announce NAT traversal."),
    K("floated", "The exchange moved to UDP 4500."),
    K("no-float-despite-nat", "NAT was found, and the exchange stays on UDP 500."),
    K("no-marker", "IKE on UDP 4500 without the non-ESP marker."),
    K("ike-over-tcp", "IKE goes over TCP.", shown=True),
    K("begins-on-4500", "The exchange begins on UDP 4500.", shown=True),
    K("begins-on-other-port", "The exchange begins on another port than 500 and 4500.", shown=True),
    K("answers-to-another-port", "The answers go to another port than the one that asked.", shown=True),
    K("answer-stays-on-500", "Message 6 goes to UDP 500, though message 5 came on 4500.", shown=True),
    K("answers-from-another-port", "The answers come from another port than the one that was asked.", shown=True),
    K("back-on-500", "The exchange went back to UDP 500 after it had moved.", shown=True),
    K("port-500-both-ways", "UDP 500 passes in both directions between the two."),
    K("port-4500-only-*", "Only packets of this end go by on UDP 4500."),
    K("port-4500-both-ways", "UDP 4500 passes in both directions between the two."),
    K("keepalives-go-on", "NAT keep-alives go on while the exchange does not."),
    K("ike-fragments-missing", "Not all pieces of a message in IKE fragments are there.", shown=True),
    K("ip-fragments-missing", "Not all IP fragments of a message are there."),
    K("large-message-unanswered", "The largest message so far gets no answer."),
    K("large-message-in-fragments-unanswered", "A message in IP fragments gets no answer."),
    K("fragments-arrive", "What was fragmented is answered: fragments pass."),
    K("mobike-float", "IKEv2 moved to UDP 4500 without a NAT, as MOBIKE does.", shown=True),
    K("address-changed", "An end moved to another address.", shown=True),
    K("vantage-*", "Where the capture was taken, by the TTL or the link.", shown=True),
    # --- the peers and what they propose
    K("offered", "What the initiator proposes."),
    K("offers-differ", "What the responder proposes itself differs from what it is offered."),
    K("proposal-chosen", "The responder chose a proposal."),
    K("several-chosen", "The responder's answer holds several proposals or transforms.", shown=True),
    K("chosen-not-offered", "The responder chose what the initiator does not offer."),
    K("wanted-group-not-offered", "The responder asks for a group that the initiator does not offer."),
    K("other-group-wanted", "The responder asks for another group (INVALID_KE_PAYLOAD).", shown=True),
    K("cookie-challenge", "The responder asks for a cookie first, as under load.", shown=True),
    K("cookie-not-taken", "The responder asks for another cookie each time that its last one is returned.", shown=True),
    K("ike-intermediate", "IKE_INTERMEDIATE goes on between IKE_SA_INIT and IKE_AUTH.", shown=True),
    K("auth-psk", "Authentication is by pre-shared key."),
    K("auth-certificates", "Authentication is by certificates."),
    K("auth-mixed", "Both pre-shared keys and certificates are offered to authenticate with."),
    K("auth-xauth", "A user is authenticated behind phase 1 (XAuth)."),
    K("vendors-differ", "The vendor IDs of the two ends name different vendors."),
    K("weak-algorithms", "What is proposed or chosen holds algorithms that are weak today.", shown=True),
    K("scan-like", "The initiator had its answer and never went on, as scanners do."),
    K("probe-like", "The initiator asked once from a port that no gateway asks from, and never came back."),
    K("responder-began-anew", "The responder answered with several cookies."),
    K("repeating", "The same peers try again and again.", shown=True),
    K("flood", "Attempts come faster than any peer makes them."),
    K("sweep", "One initiator begins with many responders and finishes with none."),
    K("reflection", "Many hosts answer an address that asked nothing."),
    K("completed-before", "The same peers completed another exchange before.", shown=True),
    K("completed-later", "The same peers completed another exchange later.", shown=True),
    K("other-version-completes", "With the other version of IKE the same peers complete."),
    K("other-mode-completes", "With another mode the same peers complete."),
    K("psk-of-*-matches", "A key of the list makes the hash of this end.", shown=True),
    K("psk-of-initiator-differs", "No key of the list makes the initiator's hash.", shown=True),
    K("psk-of-responder-differs", "No key of the list makes the responder's hash.", shown=True, trouble=True),
    K("hash-in-clear", "The responder's hash is not encrypted: pre-shared keys can be tried on it.", shown=True),
    K("psk-not-checkable", "The keys of the list cannot be held against this exchange.", shown=True),
    K("certificate-requested", "A certificate is asked for."),
    # --- what follows phase 1
    K("phase2-completed", "Quick Mode completed.", phase2=True),
    K("phase2-answered-in-clear", "Quick Mode was answered with a notify in clear.", phase2=True, trouble=True),
    K("sa-answered-in-clear", "What goes under the SA is answered with errors in clear alone.", trouble=True),
    K("phase2-refused", "Quick Mode was refused.", phase2=True, trouble=True),
    K("phase2-unanswered", "Quick Mode got no answer.", phase2=True, trouble=True),
    K("phase2-deleted-at-once", "An end takes back at once what Quick Mode made.", phase2=True, trouble=True),
    K("phase2-ignored", "Who does not answer Quick Mode is alive, and has the SA.", phase2=True),
    K("phase2-answer-unheeded", "The answer to Quick Mode is not taken.", phase2=True, trouble=True),
    K("phase2-choice-refused", "The initiator refused the responder's choice in Quick Mode.", phase2=True),
    K("phase2-refusal-exact", "The refusal names what it refuses, by a make that is exact about it.", phase2=True),
    K("phase2-*", "The notify that refuses phase 2, by its name.", phase2=True),
    K("quick-mode-room-for-ke", "Message 1 of Quick Mode has room for a KE payload, as with PFS."),
    K("quick-mode-without-*", "Message 1 of Quick Mode has no room for a KE payload: no PFS."),
    K("quick-mode-chosen", "What the responder took in Quick Mode.", shown=True),
    K("quick-mode-pfs", "Each proposal of Quick Mode asks for PFS.", shown=True),
    K("quick-mode-no-pfs", "No proposal of Quick Mode asks for PFS.", shown=True),
    K("pfs-makes-the-difference", "Refused with this choice about PFS, and taken with another."),
    K("child-sa-asked-anew", "CREATE_CHILD_SA is asked for again.", shown=True),
    K("child-sa-collision", "Both ends rekey at the same time.", shown=True),
    K("child-sa-made", "A Child SA was made.", shown=True),
    K("child-sa-refused", "CREATE_CHILD_SA was refused.", shown=True, trouble=True),
    K("child-proposed", "What was proposed for a Child SA.", shown=True),
    K("child-answered", "What was taken for a Child SA.", shown=True),
    K("child-refused", "A Child SA was refused.", shown=True, trouble=True),
    K("child-refused-later", "A Child SA behind IKE_AUTH was refused.", shown=True),
    K("child-refused-in-ike-auth", "The Child SA of IKE_AUTH was refused.", shown=True),
    K("ike-auth-may-be-refused", "Whether the IKE_AUTH response accepts or refuses does not show.", shown=True),
    K("ike-auth-without-child", "IKE_AUTH proves both ends and has no room for a Child SA.", shown=True, trouble=True),
    K("esp-both-ways", "ESP or AH goes both ways.", shown=True),
    K("esp-one-way", "ESP or AH goes one way only.", shown=True, trouble=True),
    K("esp-outside-udp", "ESP goes without UDP although there is NAT.", shown=True),
    K("dpd-unheeded", "Dead Peer Detection is not answered by an end whose ESP goes on.", shown=True),
    K("dpd-unanswered", "Dead Peer Detection asks, and nothing answers.", trouble=True),
    K("v2-request-unanswered", "An IKEv2 request behind IKE_AUTH gets no answer.", trouble=True),
    K("ike-silent-beside-esp", "An IKEv2 request gets no answer, while ESP of that end goes on.", trouble=True),
    K("v2-answered-in-clear", "An IKEv2 request behind IKE_AUTH is answered with an error in clear.", trouble=True),
    K("child-deleted-at-once", "The Child SA of IKE_AUTH was deleted at once, the IKE SA not.", trouble=True),
    K("v2-delete-unanswered", "A delete of this end gets no answer.", shown=True),
    K("v2-delete-by-*", "This end sent an encrypted message that may delete the IKE SA.", shown=True),
    K("phase1-again", "The same peers begin phase 1 again while the SA is in use.", shown=True),
    K("xauth-leads-nowhere", "XAuth told its result, and nothing follows.", trouble=True),
    K("xauth-unanswered", "The responder asks by a Transaction, and gets no answer.", trouble=True),
    K("config-unanswered", "The initiator asks by a Transaction, and gets no answer.", trouble=True),
    K("xauth-result-unknown", "XAuth told its result, and the rest is not in the capture.", trouble=True),
    # --- what keys show
    K("keys-*", "What the keys that were given open.", shown=True, keys=True),
    K("ends-keys-*", "Whether both ends encrypt with the same key.", shown=True, keys=True),
    K("opened-*", "What an encrypted message says, opened with keys.", shown=True),
    K("certificate-of-*", "The certificate of this end.", shown=True),
    K("certificate-fault-of-*", "Something is wrong with the certificate of this end.", shown=True),
    K("certificate-doubt-of-*", "Something may be wrong with the certificate of this end.", shown=True),
    K("certificate-sound-of-*", "Nothing is wrong with the certificate of this end that shows."),
    K("certificate-*-of-*", "What is wrong with the certificate of this end."),
    K("identity-not-as-asked", "The responder is not the one that the initiator asked for.", shown=True),
    K("responder-asked-for", "Whom the initiator asked for."),
    K("xauth-status-fail", "The responder says that user authentication failed.", shown=True, trouble=True),
    K("xauth-status-ok", "The responder says that user authentication succeeded.", shown=True),
    K("xauth-user", "The name of the user.", shown=True),
    # --- what more than one capture, and what logs show
    K("compare-*", "What captures at several points show together.", shown=True),
    K("log-*", "What a device's log says."),
)  # fmt: skip


def like(kind: str, pattern: str) -> bool:
    """Whether a kind fits a pattern in which `*` stands for any letters.

    As `fnmatch` does; that compiles each pattern first, which takes longer than all the ranking of a small capture.
    """
    head, *parts = pattern.split("*")
    if not parts:
        return kind == pattern
    if not kind.startswith(head):
        return False
    at = len(head)
    for part in parts[:-1]:
        at = kind.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(kind) - len(parts[-1]) >= at and kind.endswith(parts[-1])


_EXACT = {kind.name: kind for kind in KINDS if "*" not in kind.name}
_FAMILIES = sorted((kind for kind in KINDS if "*" in kind.name), key=lambda kind: -len(kind.name))


@cache
def kind_of(name: str) -> Kind:
    """What is declared of a kind. Raises UndeclaredKindError where nothing is.

    The cache has room for all names there are: what varies in them is a side, a message, a notify of the registry.
    """
    found = _EXACT.get(name) or next((kind for kind in _FAMILIES if like(name, kind.name)), None)
    if found is None:
        raise UndeclaredKindError(f"no kind of evidence is called {name!r}: declare it in pcapdiag/knowledge/kinds.py")
    return found


def undeclared(pattern: str) -> bool:
    """Whether no kind that is declared can fit a pattern of a rule: what it waits for never comes."""
    if "*" not in pattern:
        return pattern not in _EXACT and not any(like(pattern, kind.name) for kind in _FAMILIES)
    if any(like(name, pattern) for name in _EXACT):
        return False
    head = pattern.split("*")[0]  # of a family the beginning tells: none begins with what varies
    return not any(_begin_alike(head, kind.name.split("*")[0]) for kind in _FAMILIES)


def _begin_alike(one: str, other: str) -> bool:
    return bool(one) and (one.startswith(other) or other.startswith(one))
