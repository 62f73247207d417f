"""The rules of the ranking for what keys opened; they come before all others, which leave open what these decide.

Apart from `ranking`, because an analysis without keys never meets this evidence.
"""

from pcapdiag.diagnosis.ranking import Rule, Status

S = Status
RULES: tuple[Rule, ...] = (
    Rule("psk-mismatch", S.RULED_OUT, 0, "Both ends encrypt with one key, which comes from the pre-shared key here.",
         ("ends-keys-agree", "auth-psk")),
    Rule("psk-mismatch", S.CONFIRMED, 100, "The ends encrypt with different keys, made of the pre-shared key of each.",
         ("ends-keys-differ", "auth-psk", "unfinished"), ("mm6-sent",), ("opened-payload-malformed-*",)),
    Rule("psk-mismatch", S.RULED_OUT, 0, "The end that was refused authenticates with a certificate.",
         ("v2-auth-refused", "opened-auth-signature-of-initiator")),
    Rule("psk-mismatch", S.RULED_OUT, 0, "The end that was refused authenticates with a certificate.",
         ("v2-auth-refused-by-initiator", "opened-auth-signature-of-responder")),
    Rule("psk-mismatch", S.LIKELY, 88, "The responder says that the authentication with a shared key failed.",
         ("opened-authentication-failed-by-responder", "opened-auth-shared-key-of-initiator")),
    Rule("psk-mismatch", S.LIKELY, 95, "The initiator had the responder's hash, and says that authentication failed.",
         ("opened-authentication-failed-by-initiator", "stopped-after-2", "auth-psk")),
    Rule("psk-missing", S.RULED_OUT, 0, "Both ends encrypt with one key, which comes from the pre-shared key here.",
         ("ends-keys-agree", "auth-psk")),
    Rule("certificate-rejected", S.RULED_OUT, 0, "The end that was refused authenticates with a shared key.",
         ("v2-auth-refused", "opened-auth-shared-key-of-initiator")),
    Rule("certificate-rejected", S.RULED_OUT, 0, "The end that was refused authenticates with a shared key.",
         ("v2-auth-refused-by-initiator", "opened-auth-shared-key-of-responder")),
    *(Rule("certificate-rejected", S.CONFIRMED, 100, f"The {other} refused it, and something is wrong with it.",
           (f"certificate-fault-of-{side}", f"opened-refusal-by-{other}"), (), (f"certificate-*-of-{side}",))
      for side, other in (("initiator", "responder"), ("responder", "initiator"))),
    *(Rule("certificate-rejected", S.LIKELY, 95, f"The {other} refused it, and it may have had reason to.",
           (f"certificate-doubt-of-{side}", f"opened-refusal-by-{other}"))
      for side, other in (("initiator", "responder"), ("responder", "initiator"))),
    *(Rule("certificate-rejected", S.POSSIBLE, 60, "Nothing is wrong with it that shows; trust and revocation do not.",
           (f"certificate-sound-of-{side}", f"opened-refusal-by-{other}"))
      for side, other in (("initiator", "responder"), ("responder", "initiator"))),
    Rule("identity-mismatch", S.CONFIRMED, 98, "The responder is not the one that the initiator asked for.",
         ("identity-not-as-asked", "opened-refusal-by-initiator")),
    Rule("identity-mismatch", S.CONFIRMED, 98, "One end says, encrypted, that it does not take the other's identity.",
         ("opened-invalid-id-information-*", "unfinished")),
    Rule("identity-mismatch", S.CONFIRMED, 97, "The keys agree, so the proof does too; what is left is the identity.",
         ("initiator-refused-mm6", "opened-refusal-by-initiator", "ends-keys-agree", "auth-psk"), (),
         ("opened-identity-of-responder",)),
    Rule("identity-mismatch", S.LIKELY, 92, "The keys agree, so the pre-shared keys do; the identity remains.",
         ("opened-authentication-failed-by-responder", "ends-keys-agree", "auth-psk"), (),
         ("opened-identity-of-initiator",)),
    *(Rule("identity-mismatch", S.UNLIKELY, 0, "The certificate itself is reason enough.",
           (f"certificate-fault-of-{side}", f"opened-refusal-by-{other}"))
      for side, other in (("initiator", "responder"), ("responder", "initiator"))),
    *(Rule("identity-mismatch", S.LIKELY, 93, "The certificate is as it should be, so it is whom it names.",
           (f"certificate-sound-of-{side}", f"opened-refusal-by-{other}"), (), (f"opened-identity-of-{side}",))
      for side, other in (("initiator", "responder"), ("responder", "initiator"))),
    Rule("phase2-proposal-mismatch", S.CONFIRMED, 100, "The other end says that it takes none of the proposals.",
         ("phase2-no-proposal-chosen",), ("pfs-makes-the-difference",), ("quick-mode-*pfs", "child-proposed")),
    Rule("phase2-proposal-mismatch", S.UNLIKELY, 0, "The same algorithms are taken in another Quick Mode.",
         ("phase2-no-proposal-chosen",)),
    Rule("phase2-proposal-mismatch", S.UNLIKELY, 0, "The other end objects to the networks, not to the proposals.",
         ("phase2-invalid-id-information",)),
    Rule("phase2-proposal-mismatch", S.UNLIKELY, 0, "The other end objects to the networks, not to the proposals.",
         ("phase2-ts-unacceptable",)),
    Rule("phase2-selector-mismatch", S.CONFIRMED, 100, "The other end says that it does not take these networks.",
         ("phase2-invalid-id-information",), (), ("quick-mode-*pfs",)),
    Rule("phase2-selector-mismatch", S.CONFIRMED, 100, "The other end says that it does not take these networks.",
         ("phase2-ts-unacceptable", "phase2-refusal-exact"), (), ("child-proposed",)),
    Rule("phase2-selector-mismatch", S.LIKELY, 97, "It says that it does not take these networks; Libreswan says so "
         "of any Child SA that it cannot set up.", ("phase2-ts-unacceptable",), (), ("child-proposed",)),
    Rule("phase2-selector-mismatch", S.UNLIKELY, 0, "The other end objects to the proposals, not to the networks.",
         ("phase2-no-proposal-chosen",)),
    Rule("pfs-mismatch", S.CONFIRMED, 100, "Refused with this choice about PFS, and taken with another.",
         ("phase2-no-proposal-chosen", "pfs-makes-the-difference")),
    Rule("pfs-mismatch", S.RULED_OUT, 0, "The first Child SA has no key exchange of its own (RFC 7296 §1.2).",
         ("child-refused-in-ike-auth",)),
    Rule("pfs-mismatch", S.LIKELY, 96, "The proposals that were refused ask for PFS, each of them.",
         ("phase2-no-proposal-chosen", "quick-mode-pfs")),
    Rule("pfs-mismatch", S.POSSIBLE, 60, "The proposals ask for no PFS, and the other end may demand it.",
         ("phase2-no-proposal-chosen", "quick-mode-no-pfs")),
    Rule("pfs-mismatch", S.UNLIKELY, 0, "The other end objects to the networks, not to the proposals.",
         ("phase2-invalid-id-information",)),
    Rule("xauth-failed", S.CONFIRMED, 100, "The responder says, encrypted, that user authentication failed.",
         ("xauth-status-fail",), (), ("xauth-user", "auth-xauth")),
    Rule("xauth-failed", S.RULED_OUT, 0, "The responder says, encrypted, that user authentication succeeded.",
         ("xauth-status-ok",)),
)  # fmt: skip
