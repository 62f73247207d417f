"""Every rebuilt log, read to its messages, its end and its cause."""

import io

import pytest

from pcapdiag.logs.judging import LogDiagnosis
from pcapdiag.logs.log import read_log
from tests.logs.sample import Sample
from tests.logs.samples import SAMPLES

FIVE = ("asa", "ios", "fortigate", "strongswan", "paloalto", "juniper", "azure", "aws")


def diagnosed(text: str) -> tuple[LogDiagnosis, ...]:
    return read_log(io.BytesIO(text.encode())).diagnoses


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.platform}: {s.name}")
def test_sample(sample: Sample) -> None:
    report = read_log(io.BytesIO(sample.text.encode()))
    assert list(report.logs[0].platforms) == [sample.platform]
    (d,) = report.diagnoses
    assert (d.outcome.value, d.tunnel) == (sample.outcome, sample.tunnel), d.reason
    if sample.states:
        assert d.states == sample.states
    if sample.messages:
        assert tuple(m.name for m in d.exchange.messages) == sample.messages
    if sample.role:
        assert d.exchange.role == sample.role
    leading = tuple((c.cause.id, c.status.value) for c in d.causes if c.leads)
    if sample.causes:
        # Of equal status several may stand before it; the status is what is claimed.
        assert set(sample.causes) <= set(leading), leading
        assert leading[0][1] == sample.causes[0][1]
        if sample.causes[0][1] != "possible":
            assert leading[0] == sample.causes[0]
    else:
        assert not leading or d.well
    lines = sample.text.splitlines()
    for item in d.evidence:
        assert item.lines or item.kind == "log-stop"
        assert all(1 <= number <= len(lines) for number in item.lines)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.platform}: {s.name}")
def test_nothing_is_confirmed_by_hearsay(sample: Sample) -> None:
    from pcapdiag.knowledge.log_lines import load

    table = load()
    for d in diagnosed(sample.text):
        for cause in d.causes:
            if cause.status.value == "confirmed":
                kinds = [item.kind.removeprefix("log-") for item in d.evidence if item.id in cause.because]
                found = [table.by_id(kind) for kind in kinds]
                assert any(k and k.knows == "self" and k.status == "confirmed" for k in found)


def test_there_are_five_failures_a_format() -> None:
    failures: dict[str, int] = {}
    for sample in SAMPLES:
        failures[sample.platform] = failures.get(sample.platform, 0) + (sample.causes != ())
    assert {platform: count for platform, count in failures.items() if count < 4} == {}
    assert all(failures[name] >= 5 for name in FIVE)
