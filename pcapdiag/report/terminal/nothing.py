"""What to say when a capture holds no IKE: what it does hold, and what that means."""

from collections.abc import Iterator

from pcapdiag.findings import Findings
from pcapdiag.report.wording import frame_list, seconds

MOST_TOLD = 3
"""Addresses that do not answer ARP."""


def nothing_found(report: Findings, peer: str | None, spi: str | None) -> Iterator[str]:
    """One line a capture, then what that leaves open."""
    for capture in report.captures:
        s = capture.summary
        held = [f"{count} {name}" for name, count in s.protocols.items()]
        rest = [
            (s.esp, "ESP"),
            (s.nat_keepalives, "NAT keep-alives"),
            (s.ip_fragments, "IP fragments"),
            (s.icmp_errors, "ICMP errors that quote IKE"),
            (capture.not_ike, "datagrams on IKE ports without IKE in them"),
            (s.unreadable, "unreadable"),
        ]
        held += [f"{count} {name}" for count, name in rest if count]
        what = ", ".join(held) if s.frames else "no frames at all"
        if capture.not_ike and s.snapped:
            what += (
                f"; {s.snapped} frames are cut short by the snap length, too short to show an IKE header: "
                "capture whole packets (tcpdump -s 0)"
            )
        if peer is None and spi is None:
            yield f"{s.path}: no IKE in {s.frames} frames; there is: {what}"
        else:
            yield f"{s.path}: no exchange that was asked for; {capture.ike_messages} IKE messages of others"
    if peer is None and spi is None and any(c.summary.esp_flows for c in report.captures):
        yield (
            "No IKE at this capture point, but ESP or AH goes by: a tunnel is in use, and what set it up is not in the "
            "capture."
        )
    elif peer is None and spi is None and any(c.summary.unanswered for c in report.captures):
        yield from _unanswered(report)
    elif peer is None and spi is None:
        yield (
            "No IKE at this capture point: either nothing tries to bring the tunnel up, or its packets go another "
            "way or are dropped before this point."
        )


def _unanswered(report: Findings) -> Iterator[str]:
    """Who is asked for by ARP and does not answer: no packet can be sent there, so there is no IKE to see."""
    several = len(report.captures) > 1
    found = [one for c in report.captures for one in c.summary.unanswered]
    for one in found[:MOST_TOLD]:
        frames = frame_list((one.first_frame, one.last_frame), several=several)
        yield (
            f"{one.asker} asks by ARP for {one.address}, {one.requests} times in "
            f"{seconds(one.last_time - one.first_time)}, and nothing answers (from the first to the last: {frames})."
        )
    if len(found) > MOST_TOLD:
        yield f"{len(found) - MOST_TOLD} more addresses do not answer ARP."
    yield (
        "No IKE at this capture point. If one of these is the peer, or the router on the way to it, it cannot be "
        "reached: no packet can be sent to it. What to check: pcapdiag explain peer-unreachable"
    )
