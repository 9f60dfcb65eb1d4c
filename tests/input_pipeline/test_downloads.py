import hashlib
import types

import pytest

from vid_jax.errors import UserError
from vid_jax.input_pipeline import downloads


@pytest.fixture
def published(tmp_path):
    """A published file, and a manager that downloads it."""
    file = tmp_path / "data.npy"
    file.write_bytes(b"published")
    return file, types.SimpleNamespace(download=lambda url: str(file))


def test_a_file_whose_checksum_is_right(published):
    file, manager = published
    checksum = hashlib.sha256(b"published").hexdigest()
    assert downloads.fetch(manager, file.as_uri(), checksum, "") == file


def test_another_file_is_refused(published):
    file, manager = published
    with pytest.raises(UserError, match=r"data\.npy is not the published file .*; get it there"):
        downloads.fetch(manager, file.as_uri(), "0" * 64, "get it there")


def test_what_cannot_be_had(published):
    file, manager = published
    with pytest.raises(UserError, match=r"gone cannot be downloaded \(URLError\); get it there"):
        downloads.fetch(manager, file.with_name("gone").as_uri(), "", "get it there")
