"""Published files from the network, their checksums verified."""

import hashlib
import urllib.request
from pathlib import Path

from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.tensorflow_cpu import tfds


def fetch(dl_manager: tfds.download.DownloadManager, url: str, sha256: str, wanted: str) -> Path:
    """The file at `url`.

    Args:
        dl_manager: of the builder that wants it; a file that it has already is not got again.
        url: where its authors publish it.
        sha256: of its bytes.
        wanted: what to get, from whom and where to put it, for an error.

    Raises:
        UserError: it cannot be had, or is another file.
    """
    logging.info("downloading %s", url)
    try:
        # Without this it takes the downloader minutes of retries to find that there is no network.
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=30).close()
        file = Path(dl_manager.download(url))
    except (OSError, tfds.download.DownloadError) as error:
        raise UserError(f"{url} cannot be downloaded ({type(error).__name__}); {wanted}") from error
    with file.open("rb") as opened:
        checksum = hashlib.file_digest(opened, "sha256").hexdigest()
    if checksum != sha256:
        raise UserError(f"{file} is not the published file (its checksum differs); {wanted}")
    return file
