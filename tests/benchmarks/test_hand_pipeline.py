"""The pipeline of hands is measured end to end on a few frames; of the times nothing is asserted."""

import cv2
import numpy as np

from benchmarks import hand_pipeline
from benchmarks.generated_fhad import write_hands
from vid_jax.cameras import CAMERAS
from vid_jax.input_pipeline.datasets import fhad_files
from vid_jax.input_pipeline.depth_files import read_depth
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.hand_detector import com_in_cube


def test_generated_files_are_as_published(tmp_path):
    write_hands(tmp_path, num_frames=3)
    first, *_, last = fhad_files.read_frames(tmp_path, BadFrames("error"))
    assert (first.sequence, first.frame, first.split) == (
        "Subject_1/open_juice_bottle/1",
        0,
        "test",
    )
    assert (last.sequence, last.frame, last.split) == ("Subject_1/open_juice_bottle/2", 0, "train")
    image = cv2.imread(str(first.path), cv2.IMREAD_UNCHANGED)
    assert (image.shape, image.dtype) == ((480, 640), np.uint16)
    assert 80_000 < first.path.stat().st_size < 140_000
    com = com_in_cube(read_depth(first.path), CAMERAS["fhad"], first.joints[3], 200)
    assert np.linalg.norm(com - first.joints.mean(0)) < 60  # mm


def test_each_stage_tier_and_batch_has_a_row():
    rows = hand_pipeline.measure(num_frames=62, batch_sizes=[2], num_crops=4, rounds=1)
    assert [row["work"] for row in rows] == [
        "PNG to raw tier",
        "raw tier to crop tier",
        "PNG to crop tier",
        "published PNGs",
        "published PNGs and joints",
        "raw tier, joints included",
        "crop tier",
        "augmented crops to the step, batch 2",
    ]
    sizes = {row["work"]: row["figure"] for row in rows}
    assert sizes["raw tier, joints included"] < sizes["published PNGs and joints"]
    assert 2 * 128**2 < sizes["crop tier"] < 2.2 * 128**2
    assert all(row["figure"] > 0 for row in rows)
