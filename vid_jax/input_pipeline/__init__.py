"""From files as their authors publish them to batches of windows or of crops.

Importing this package is cheap: TensorFlow is imported by `create_dataset`, not before.
"""

from vid_jax.input_pipeline.sources import check_source, holds_hands

__all__ = ["check_source", "create_dataset"]


def create_dataset(config, batch_size: int):
    """Prepares the data of `config.data` where need be and opens it as batches of windows.

    Args:
        config: the whole configuration; `seed` and the keys of `data` are read.
        batch_size: windows in a global batch, a multiple of the number of processes.

    Returns:
        A `vid_jax.input_pipeline.video_windows.VideoWindows`, or of hands in depth maps a
        `vid_jax.input_pipeline.hand_crops.HandCrops`.

    Raises:
        UserError: the source is missing or damaged, or no window fits.
    """
    check_source(config)
    from vid_jax.input_pipeline.prepare import prepare

    builder = prepare(config)
    if holds_hands(config.data):
        from vid_jax.input_pipeline.crop_store import open_crop_store
        from vid_jax.input_pipeline.hand_crops import HandCrops

        return HandCrops(open_crop_store(builder, config), config, batch_size)
    from vid_jax.input_pipeline.frame_store import open_frame_store
    from vid_jax.input_pipeline.video_windows import VideoWindows

    return VideoWindows(open_frame_store(builder, config), config, batch_size)
