"""Key frames and clips of a video, from the file to a folder of results."""

from pathlib import Path

from absl import logging

from vid_jax.key_clip_analysis import Analysis, Embed, analyse
from vid_jax.key_clip_files import check_output, write_results
from vid_jax.key_clip_settings import Settings, check


def extract(source: Path, output: Path, settings: Settings, embed: Embed | None = None) -> Analysis:
    """Writes what `write_results` does of what `analyse` finds.

    Args:
        source: a video file or a folder of numbered images.
        output: a folder, made if need be.
        settings: see there.
        embed: from images (height, width, 3) uint8, RGB, to embeddings (n, d); embedding=histogram needs none.

    Raises:
        UserError: a setting makes no sense, the source cannot be read, or the output holds something or the source.
    """
    check(settings)
    check_output(source, output, settings.overwrite)
    analysis = analyse(source, settings, embed)
    write_results(source, output, settings, analysis)
    logging.info(
        "%s: %d key frames of %d candidates; see %s.",
        source,
        len(analysis.choice.kept),
        len(analysis.times),
        output / "index.html",
    )
    return analysis
