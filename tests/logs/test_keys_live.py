"""Keys out of the log of a real daemon: strongSwan's, told to log them, opens the capture of its own tunnel."""

import time
from pathlib import Path

import pytest

import pcapdiag
from tests.lab import CHARON, Pair, needs, until

pytestmark = [pytest.mark.system, needs("tcpdump", "swanctl", str(CHARON))]

LOGGED = "filelog {{ keys {{ path = {path}\n default = 1\n ike = 4\n mgr = 2\n flush_line = yes }} }}"


@pytest.mark.parametrize("version", [1, 2])
def test_a_real_log_opens_the_capture_of_its_tunnel(version: int, tmp_path: Path) -> None:
    log, capture = tmp_path / "keys.log", tmp_path / "left.pcap"
    connection = f"version = {version}"
    with Pair(f"keys{version}", tmp_path) as pair:
        dump = ("tcpdump", "-U", "--immediate-mode", "-n", "-i", "left", "-w", str(capture))
        pair.start(pair.left, *dump, output=tmp_path / "tcpdump.out")
        until([tmp_path / "tcpdump.err"], b"listening on left", 20)
        mine = pair.daemon(pair.left, connection, "the key", LOGGED.format(path=log))
        other = pair.daemon(pair.right, connection, "the key")
        mine.ready()
        other.ready()
        mine.initiate()
        until([log], b"IKE_SA lab[1] established", 30)
        time.sleep(1)  # phase 2 of IKEv1 comes behind it
    (without,) = pcapdiag.analyze(capture).diagnoses
    (diagnosis,) = pcapdiag.analyze(capture, keys=log).diagnoses
    sealed = [step for step in diagnosis.exchange.steps if step.message.header.encrypted]
    assert sealed
    assert [step.name for step in sealed if step.opened is None] == []
    assert version == 1 or all(step.opened.proven for step in sealed if step.opened is not None)
    assert not any(step.opened for step in without.exchange.steps)
    assert (diagnosis.stop.outcome, diagnosis.tunnel.state) == (without.stop.outcome, without.tunnel.state)
