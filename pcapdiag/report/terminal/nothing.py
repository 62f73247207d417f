"""What to say when a capture holds no IKE: what it does hold, and what that means."""

from collections.abc import Iterator

from pcapdiag.findings import Findings


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
    elif peer is None and spi is None:
        yield (
            "No IKE at this capture point: either nothing tries to bring the tunnel up, or its packets go another "
            "way or are dropped before this point."
        )
