"""Key tables from files and from profile directories."""

from pathlib import Path

import pytest

from pcapdiag.ike.decryption_keys import KeyTableError
from pcapdiag.key_tables import read_tables
from tests import CAPTURES

KEYS = CAPTURES / "keys"


def test_a_profile_holds_both_tables() -> None:
    whole = read_tables([KEYS])
    assert whole.v1
    assert whole.v2
    parts = read_tables([KEYS / "ikev1_decryption_table", str(KEYS / "ikev2_decryption_table")])
    assert parts == whole


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p / "absent", "no such file"),
        (lambda p: p, "holds neither ikev1_decryption_table nor ikev2_decryption_table"),
        (lambda p: CAPTURES / "completed-psk.pcap", "not a key table: it is not text"),
        (lambda p: CAPTURES / "README.md", "5 fields"),
    ],
)
def test_what_is_no_table(make: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(KeyTableError, match=says):
        read_tables([make(tmp_path)])  # type: ignore[operator]
