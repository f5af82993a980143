import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: not run with the sanitizers unless all tests are asked for")


@pytest.fixture(autouse=True)
def stop_everything():
    """Whatever a test started is stopped, by pid, newest first."""
    yield
    while harness.started:
        harness.started.pop().stop_now()
