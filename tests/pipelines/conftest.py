"""Runs commands in this process, and shares what is slow to make between tests."""

import contextlib
import io
from dataclasses import dataclass

import pytest

from pipelines.cli import main


@dataclass
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error_lines(self):
        return [line for line in self.err.splitlines() if line.startswith("roadloop: error:")]


def run_command(*arguments):
    """Run `roadloop ARGUMENTS` in this process."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def roadloop():
    """The function that runs a command."""
    return run_command


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """A folder of tiny rendered scenes."""
    folder = tmp_path_factory.mktemp("render") / "scenes"
    ran = run_command("render", "--config", "smoke", "--scenes", 24, "--out", folder)
    assert ran.code == 0, ran.err
    return folder


@pytest.fixture(scope="session")
def detector_run(tmp_path_factory, scenes):
    """A run folder of a tiny detector training."""
    folder = tmp_path_factory.mktemp("train") / "detector"
    ran = run_command(
        "train", "detector", "--config", "smoke", "--set", f"train.detector.data={scenes}", "--out", folder
    )
    assert ran.code == 0, ran.err
    return folder
