"""Begins the tunnels before the first test of this folder, so that they are decided when their own tests come."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.tunnels import ABSENT, Begun


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun | None]:
    """The tunnels, where they can be made and are asked for."""
    own = Path(__file__).with_name("test_tunnels.py")
    wanted = any(item.path == own for item in request.session.items)
    if ABSENT or not wanted:
        yield None
        return
    found = Begun(tmp_path_factory.mktemp("tunnels"))
    yield found
    found.close()
