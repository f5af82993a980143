import os
import pathlib
import pwd
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out with the sanitizers unless all tests are asked for")
    config.addinivalue_line("markers", "alone: counts CPU time, memory or wake-ups, or needs both: nothing else may run beside it")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what each weir said, and what each receiver saw."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for thing in harness.started:
            if isinstance(thing, harness.Weir):
                report.sections.append((f"log of weir {thing.pid}", thing.log[-6000:]))
            elif isinstance(thing, harness.Receiver):
                seen = [(len(c.data), c.ended) for c in thing.connections]
                report.sections.append((f"receiver on {thing.port}", f"bytes and end of each connection: {seen}"))


@pytest.fixture(autouse=True)
def stop_everything():
    """Whatever a test started is stopped, by pid, newest first."""
    yield
    while harness.started:
        harness.started.pop().stop_now()


@pytest.fixture
def theirs():
    """A folder of the user nobody, who cannot reach tmp_path: that is below a folder of root's."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="weir-e2e-"))
    who = pwd.getpwnam("nobody")
    os.chown(where, who.pw_uid, who.pw_gid)
    yield where
    shutil.rmtree(where)
