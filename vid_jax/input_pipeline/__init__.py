"""From files as their authors publish them to batches of windows, of crops, of sequences or of photographs.

Importing this package is cheap: TensorFlow is imported by `create_dataset`, not before.
"""

from vid_jax.input_pipeline.sources import (
    check_source,
    holds_hands,
    holds_images,
    holds_sequences,
)

__all__ = ["check_source", "create_dataset"]


def create_dataset(config, batch_size: int):
    """Prepares the data of `config.data` where need be and opens it as batches.

    Args:
        config: the whole configuration; `seed` and the keys of `data` are read.
        batch_size: examples in a global batch, a multiple of the number of processes.

    Returns:
        A `VideoWindows` of `vid_jax.input_pipeline.video_windows`; of hands in depth maps a `HandCrops` of
        `hand_crops`, of whole sequences of them a `HandCropSequences` of `hand_crop_sequences`; of sequences of joints
        a `JointSequences` of `joint_sequences`; of photographs an `Images` of `images`.

    Raises:
        UserError: the source is missing or damaged, or no window fits.
    """
    check_source(config)
    from vid_jax.input_pipeline.prepare import prepare

    builder = prepare(config)
    if holds_hands(config.data):
        from vid_jax.input_pipeline.crop_store import open_crop_store

        store = open_crop_store(builder, config)
        if holds_sequences(config.data):
            from vid_jax.input_pipeline.hand_crop_sequences import HandCropSequences

            return HandCropSequences(store, config, batch_size)
        from vid_jax.input_pipeline.hand_crops import HandCrops

        return HandCrops(store, config, batch_size)
    if holds_sequences(config.data):
        from vid_jax.input_pipeline.joint_records import read_joints
        from vid_jax.input_pipeline.joint_sequences import JointSequences

        return JointSequences(read_joints(builder), config, batch_size)
    if holds_images(config.data):
        from vid_jax.input_pipeline.image_store import open_image_store
        from vid_jax.input_pipeline.images import Images

        return Images(open_image_store(builder, config.data), config, batch_size)
    from vid_jax.input_pipeline.frame_store import open_frame_store
    from vid_jax.input_pipeline.video_windows import VideoWindows

    return VideoWindows(open_frame_store(builder, config), config, batch_size)
