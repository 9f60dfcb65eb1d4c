"""From files as their authors publish them to batches of windows.

Importing this package is cheap: TensorFlow is imported by `create_dataset`, not before.
"""

from vid_jax.input_pipeline.sources import check_source

__all__ = ["check_source", "create_dataset"]


def create_dataset(config, batch_size: int):
    """Prepares the data of `config.data` where need be and opens it as batches of windows.

    Args:
        config: the whole configuration; `seed` and the keys of `data` are read.
        batch_size: windows in a global batch, a multiple of the number of processes.

    Returns:
        A `vid_jax.input_pipeline.video_windows.VideoWindows`.

    Raises:
        UserError: the source is missing or damaged, or no window fits.
    """
    check_source(config)
    from vid_jax.input_pipeline.frame_store import open_frame_store
    from vid_jax.input_pipeline.prepare import prepare
    from vid_jax.input_pipeline.video_windows import VideoWindows

    builder = prepare(config)
    store = open_frame_store(builder, config)
    return VideoWindows(store, config, batch_size)
