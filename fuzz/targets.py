"""The targets by name: each takes octets, raises nothing on any, and holds what is said of its part against itself.

What is documented to be raised is caught within; whatever else comes out is a finding.
"""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from fuzz import capture_targets, ike_targets, log_targets, mutation, report_targets, seeds
from pcapdiag.record import Record

Mutation = Callable[[bytes, Random, Sequence[bytes]], bytes]


class Target(Record, frozen=True):
    """One target.

    what -- it runs; run -- runs it; seeds -- what it begins with; mutate -- how these are changed
    """

    name: str
    what: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Mutation = mutation.mutate


TARGETS = {
    target.name: target
    for target in (
        Target(
            "savefile",
            "pcap and pcapng, whole, in crumbs and in parts: all the same",
            capture_targets.savefile,
            capture_targets.savefile_seeds,
            mutation.mutate_capture,
        ),
        Target(
            "compressed",
            "gzip, xz and zstd streams",
            capture_targets.compressed,
            capture_targets.compressed_seeds,
        ),
        Target(
            "frame",
            "link layers, IP, UDP, TCP, ICMP; compiled and interpreted code see the same",
            capture_targets.frame,
            seeds.frames,
        ),
        Target("reassembly", "IP fragments", capture_targets.reassembly, capture_targets.reassembly_seeds),
        Target("streams", "IKE in TCP", capture_targets.streams, capture_targets.streams_seeds),
        Target("message", "the IKE decoder, every payload", ike_targets.message, seeds.messages),
        Target("fragments", "IKE fragments", ike_targets.fragments, ike_targets.fragments_seeds),
        Target("decryption", "messages opened with keys", ike_targets.decryption, ike_targets.decryption_seeds),
        Target("keytable", "tables of keys", ike_targets.key_table, ike_targets.key_table_seeds),
        Target("tracker", "messages to exchanges to a diagnosis", ike_targets.tracker, ike_targets.tracker_seeds),
        Target("knowledge", "the knowledge base", report_targets.knowledge, report_targets.knowledge_seeds),
        Target("explain", "questions to it, logs", report_targets.explain, report_targets.explain_seeds),
        Target(
            "reports",
            "every report, on identities, vendor IDs, notifies and names that want to act in a terminal",
            report_targets.reports,
            report_targets.reports_seeds,
        ),
        Target(
            "pipeline",
            "a capture, the analysis, the JSON report and every fourth time the text",
            report_targets.pipeline,
            seeds.short_captures,
            mutation.mutate_capture,
        ),
        Target(
            "opened",
            "the same with the keys of the captures",
            report_targets.opened,
            seeds.short_captures,
            mutation.mutate_capture,
        ),
        Target(
            "live",
            "a capture through a watch: its text, JSON, metrics and screen",
            report_targets.live,
            seeds.short_captures,
            mutation.mutate_capture,
        ),
        *(
            Target(
                f"log-{platform}",
                f"logs of {platform}",
                log_targets.reader(platform),
                partial(log_targets.seeds_of, platform),
            )
            for platform in log_targets.FORMATS
        ),
        Target("logs", "logs of any format, to their reports", log_targets.whole, log_targets.whole_seeds),
        Target("lines", "the table of log lines", log_targets.entries, log_targets.entries_seeds),
    )
}
