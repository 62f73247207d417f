"""What to turn on so that a device logs what it knows: the commands, what they cost, and how to turn them off again.

`ADDRESS` stands for the peer's, `NAME` for the connection's. The order is that in which the lines are to be typed.
"""

from pcapdiag.record import Record


class Debugging(Record, frozen=True):
    """How to make one platform talk.

    before -- what is worth doing first: time stamps, an old filter; on -- turns it on; off -- turns it off again
    peer -- limits it to one peer, and comes before `on`; empty where the platform cannot
    shows -- what is in the log then; costs -- what to beware of; secrets -- keys or passwords stand in it
    source -- where the commands are public
    """

    platform: str
    before: tuple[str, ...]
    peer: tuple[str, ...]
    on: tuple[str, ...]
    off: tuple[str, ...]
    shows: str
    costs: str
    secrets: bool
    source: str


DEBUGGING: tuple[Debugging, ...] = (
    Debugging(
        "asa",
        ("logging timestamp", "terminal monitor"),
        ("debug crypto condition peer ADDRESS",),
        ("debug crypto ikev1 127", "debug crypto ikev2 protocol 127", "debug crypto ikev2 platform 127"),
        ("undebug all", "no debug crypto condition peer ADDRESS"),
        "Every message with its payloads and length, the FSM's states, the tunnel-group that was chosen, and why a "
        "proposal, an identity or a certificate was refused. No cookies, and no octets below level 254.",
        "Without the condition every peer is logged, and on a busy console the debug queue may overflow; levels 254 "
        "and 255 are the worst, use `capture NAME type isakmp` instead of these.",
        False,
        "Cisco, Mapping Debug/Event Levels to the ASA (asa72/vpn3000_upgrade mievent); Microsoft, VPN device sample "
        "for the ASA (ikev2); the document that pcapdiag follows (condition)",
    ),
    Debugging(
        "ios",
        ("service timestamps debug datetime msec localtime show-timezone", "terminal monitor"),
        ("debug crypto condition peer ipv4 ADDRESS",),
        ("debug crypto isakmp", "debug crypto ikev2", "debug crypto ipsec"),
        ("undebug all", "no debug crypto condition peer ipv4 ADDRESS"),
        "IKEv1: every message with the state before and after, each transform and why it was refused. IKEv2: every "
        "message with its SPIs, message ID and payloads.",
        "The console is slow: log to the buffer (`logging buffered`), and set the condition on a router with many "
        "peers.",
        False,
        "Cisco IOS Debug Command Reference, debug crypto condition, debug crypto isakmp, debug crypto ikev2",
    ),
    Debugging(
        "strongswan",
        (),
        (),
        ("swanctl --log", "ipsec stroke loglevel ike 2", "ipsec stroke loglevel cfg 2", "ipsec stroke loglevel enc 1"),
        ("ipsec stroke loglevel ike 1", "ipsec stroke loglevel cfg 1"),
        "Every message with its payloads and message ID, the proposals of both ends, and why a configuration, a key "
        "or a certificate does not fit. In strongswan.conf: `charon.filelog.NAME.ike_name = yes` names the connection "
        "in every line, `time_format` and `time_precision` give stamps.",
        "Little at level 2. Level 3 adds octets; level 4 adds keys (`--keys` reads them with `ike = 4` and `mgr = 2`).",
        True,
        "strongSwan, conf/options/charon-logging.opt; src/stroke/stroke.c; swanctl/commands/log.c",
    ),
    Debugging(
        "libreswan",
        (),
        ("ipsec whack --name NAME --debug base",),
        ("ipsec whack --debug base",),
        ("ipsec whack --debug none",),
        "The default level has every message that is sent and every reason for a refusal, and is mostly enough; with "
        "`base` the messages themselves follow as octets (`--to-pcap` makes a capture of these).",
        "Much text with many connections; `debug=base` in one connection of ipsec.conf is for that one.",
        False,
        "libreswan, ipsec-whack.8 (--debug), ipsec.conf.5 (plutodebug=, debug=)",
    ),
    Debugging(
        "fortigate",
        ("diagnose debug reset", "diagnose debug console timestamp enable"),
        (
            "diagnose vpn ike log filter rem-addr4 ADDRESS",
            "diagnose vpn ike log-filter dst-addr4 ADDRESS   (before 7.4)",
        ),
        ("diagnose debug application ike -1", "diagnose debug enable"),
        ("diagnose debug disable", "diagnose debug reset"),
        "Every message as octets, its ends, each proposal of both ends, and why one was refused. `--to-pcap` makes a "
        "capture of it, `--keys` opens that with the keys of the same log.",
        "Without the filter every peer is logged; a serial console is too slow for it.",
        True,
        "fgt-ike-debugger's list of debugs (ProjectVISTA/VISTA-docs); Fortinet, IPsec VPN troubleshooting",
    ),
    Debugging(
        "racoon",
        (),
        (),
        ("log debug2;   (racoon.conf, then restart)",),
        ("log notify;   (racoon.conf, then restart)",),
        "Every message as octets, each proposal of both ends, and why one was refused.",
        "There is no limit to one peer. On a slow machine a high level delays the answers, and negotiations can fail "
        "of it; tunnels go down with a restart.",
        True,
        "ipsec-tools, racoon.conf.5",
    ),
    Debugging(
        "openiked",
        (),
        (),
        ("ikectl log verbose",),
        ("ikectl log brief",),
        "Every message that is sent and received with its message ID, and the proposals; `iked -dvv` has the payloads "
        "too.",
        "Little.",
        False,
        "OpenBSD, ikectl(8), iked(8)",
    ),
    Debugging(
        "paloalto",
        (),
        ("debug ike gateway NAME on debug",),
        ("debug ike global on debug",),
        ("debug ike global on normal", "debug ike gateway NAME off"),
        "The system log has how each negotiation ended without it: `show log system subtype equal vpn`. With it "
        "ikemgr.log has more: `tail follow yes mp-log ikemgr.log`. `debug ike pcap on` captures the messages "
        "themselves, `view-pcap` shows them.",
        "The global debug logs every gateway.",
        False,
        "public PAN-OS guides: paloaltofirewalls.com, IPSec VPN Testing and Troubleshooting",
    ),
    Debugging(
        "juniper",
        ("set system syslog file kmd-logs daemon info", "set system syslog file kmd-logs match KMD", "commit"),
        (),
        ("request security ike debug-enable local LOCAL remote ADDRESS",),
        ("request security ike debug-disable",),
        "kmd-logs has how each negotiation ended, with both ends and who began (`show log kmd-logs`). The debug writes "
        "the negotiation of one pair of addresses to the file of the daemon (`show log kmd` or `show log iked`).",
        'The debug is limited to one pair of addresses. The syslog file matches upper case KMD only; `match "KMD|IKE"` '
        "has the lines without a name, too.",
        False,
        "Juniper, KB10097 (kmd-logs); Junos CLI reference, request security ike debug-enable",
    ),
    Debugging(
        "azure",
        (),
        (),
        (
            "az monitor diagnostic-settings create --name ike \\",
            "  --resource NAME --workspace WORKSPACE --logs \\",
            '  \'[{"categoryGroup":"allLogs","enabled":true}]\'',
        ),
        ("az monitor diagnostic-settings delete --name ike --resource NAME",),
        "IKEDiagnosticLog has every message that is sent or received with both ends, the proposals, the traffic "
        "selectors and why a negotiation failed; TunnelDiagnosticLog when a tunnel came and went. Export the result "
        "of the query as CSV, or read the JSON lines of a storage account.",
        "It takes minutes until records appear, and each is paid for. Gateways of the policy-based kind have neither.",
        False,
        "https://learn.microsoft.com/en-us/azure/vpn-gateway/troubleshoot-vpn-with-azure-diagnostics",
    ),
    Debugging(
        "aws",
        ("to=LogEnabled=true,LogGroupArn=ARN,LogOutputFormat=json",),
        (),
        (
            "aws ec2 modify-vpn-tunnel-options --vpn-connection-id NAME \\",
            "  --vpn-tunnel-outside-ip-address ADDRESS --tunnel-options \\",
            '  "LogOptions={CloudWatchLogOptions={$to}}"',
        ),
        (
            "aws ec2 modify-vpn-tunnel-options --vpn-connection-id NAME \\",
            "  --vpn-tunnel-outside-ip-address ADDRESS --tunnel-options \\",
            "  'LogOptions={CloudWatchLogOptions={LogEnabled=false}}'",
        ),
        "What the tunnel says of each negotiation, and the states of both phases. `aws logs tail GROUP` prints it.",
        "The change interrupts the tunnel for some minutes: one tunnel of a connection at a time.",
        False,
        "https://docs.aws.amazon.com/vpn/latest/s2svpn/monitoring-logs.html",
    ),
)


PLATFORMS = tuple(found.platform for found in DEBUGGING)


def debugging_of(platform: str) -> Debugging:
    """How to make this platform talk. Raises ValueError for one that is not among `PLATFORMS`."""
    return DEBUGGING[PLATFORMS.index(platform)]
