"""Drawn scenes on disk, shared by the tests of this folder."""

import pytest
from drawn_scenes import write_scenes


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Eight drawn scenes of four objects."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, 8)
    return folder
