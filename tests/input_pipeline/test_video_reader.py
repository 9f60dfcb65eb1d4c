import struct

import cv2
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tiny_data import frame_image, write_image, write_video

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import crop_mask, decode_image, resize_frame
from vid_jax.input_pipeline.video_reader import iterate_video, read_frames


def test_frames_and_times_of_a_video_of_variable_rate(tmp_path):
    values, times = [10, 60, 110, 160, 210], [0.0, 0.1, 0.15, 0.6, 0.61]
    path = write_video(tmp_path / "a.mkv", values, times)
    found_times, frames = zip(*iterate_video(path), strict=True)
    np.testing.assert_allclose(found_times, times, atol=1e-3)
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((48, 64, 3), "uint8")}
    np.testing.assert_allclose([frame.mean() for frame in frames], values, atol=2)


def test_a_folder_of_frames_comes_in_the_order_of_its_numbers(tmp_path):
    for number in (9, 10, 11):
        write_image(tmp_path / "walk" / f"f{number}.png", frame_image("", number))
    frames = list(iterate_video(tmp_path / "walk"))
    assert [time for time, _ in frames] == [None] * 3
    for (_, frame), number in zip(frames, (9, 10, 11), strict=True):
        np.testing.assert_array_equal(frame, frame_image("", number))
    assert [frame.number for frame in read_frames(tmp_path / "walk")] == [9, 10, 11]


def test_rotation_asked_for_by_the_container(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = 255
    path = write_video(tmp_path / "a.mov", [image])
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # of version 0: nine fixed-point numbers
    clockwise = (0, 1, 0, -1, 0, 0, 0, 0, 1 << 14)
    data[matrix : matrix + 36] = struct.pack(">9i", *(value << 16 for value in clockwise))
    path.write_bytes(data)
    ((_, frame),) = iterate_video(path)
    np.testing.assert_allclose(frame, np.rot90(image, -1), atol=8)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.mp4 does not exist"):
        list(iterate_video(tmp_path / "gone.mp4"))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"text\.mp4 cannot be read as a video"):
        list(iterate_video(tmp_path / "text.mp4"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no images"):
        list(iterate_video(tmp_path / "empty"))
    write_image(tmp_path / "walk" / "1.png", frame_image("", 1))
    (tmp_path / "walk" / "2.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="walk: frame 2 cannot be decoded"):
        list(iterate_video(tmp_path / "walk"))


def test_a_truncated_video_gives_what_comes_before(tmp_path):
    path = write_video(tmp_path / "a.avi", range(0, 200, 10))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    good = [frame.number for frame in read_frames(path) if frame.image is not None]
    assert good == list(range(1, len(good) + 1))
    assert 5 < len(good) < 20


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_images_are_decoded_as_rgb_or_grey_or_not_at_all(suffix):
    blocks = np.zeros((16, 16, 3), np.uint8)
    blocks[:, :8] = (200, 30, 90)
    data = cv2.imencode(suffix, blocks[..., ::-1])[1].tobytes()
    np.testing.assert_allclose(decode_image(data), blocks, atol=30)
    grey = cv2.imencode(suffix, blocks[..., 0])[1].tobytes()
    assert decode_image(grey).shape == (16, 16)
    assert decode_image(data[: len(data) // 2]) is None
    assert decode_image(b"") is None


@hypothesis.given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.booleans())
def test_resized_frames_have_the_size_and_keep_a_constant(height, width, channels, grey):
    frame = np.full((20, 30) if grey else (20, 30, 3), 77, np.uint8)
    resized = resize_frame(frame, (height, width), channels)
    assert resized.shape == (height, width, channels)
    assert (resized == 77).all()


def test_shrinking_averages_and_the_own_size_changes_nothing():
    frame = frame_image("", 1)
    means = frame.reshape(6, 2, 8, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_frame(frame, (6, 8), 1)[..., 0], means, atol=0.51)
    np.testing.assert_array_equal(resize_frame(frame, (12, 16), 3), np.stack([frame] * 3, -1))


def test_grey_is_luma():
    colour = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    assert resize_frame(colour, (4, 4), 1).flat[0] == round(0.299 * 255)


def test_cropping_takes_the_middle_of_a_frame_that_covers_the_size():
    frame = np.random.default_rng(0).integers(0, 256, (375, 1242, 3), dtype=np.uint8)
    wide = cv2.resize(frame, (424, 128), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(
        resize_frame(frame, (128, 160), 3, "crop"), wide[:, (424 - 160) // 2 :][:, :160]
    )
    tall = frame_image("", 1).T
    np.testing.assert_array_equal(resize_frame(tall, (6, 12), 1, "crop")[..., 0], tall[5:11])


@pytest.mark.parametrize("size", [(128, 160), (30, 100), (64, 64), (50, 20), (400, 300)])
def test_a_cropped_mask_shows_what_the_cropped_frame_shows(size):
    rows, columns = np.mgrid[:150, :240]
    for ramp in (rows, columns):
        cropped = crop_mask(ramp.astype(np.uint8), size)
        height, width = cropped.shape
        assert height == 150 or width == 240
        assert height / width == pytest.approx(size[0] / size[1], rel=0.01)
        frame = resize_frame(ramp.astype(np.uint8), size, 1, "crop")
        np.testing.assert_allclose(resize_frame(cropped, size, 1), frame, atol=1)


def test_small_frames_keep_their_form_and_are_turned(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    write_image(tmp_path / "walk/1.png", image)
    (folder,) = read_frames(tmp_path / "walk")
    (video,) = read_frames(write_video(tmp_path / "a.mkv", [np.stack([image] * 3, -1)]))
    for frame in (folder, video):
        np.testing.assert_array_equal(frame.small(100), frame.image())
        small = frame.small(32)
        means = image.reshape(24, 2, 32, 2).mean(axis=(1, 3))
        assert small.shape[:2] == (24, 32)
        grey = small if small.ndim == 2 else small.mean(axis=2)
        np.testing.assert_allclose(grey, means, atol=2)


@pytest.mark.parametrize("size", [(48, 64), (480, 640), (300, 20)])
def test_a_glance_is_coarse_and_grey(tmp_path, size):
    ramp = np.broadcast_to(np.linspace(16, 235, size[0])[:, None, None], (*size, 3))
    for name in ("a.mkv", "a.avi"):
        (frame,) = read_frames(write_video(tmp_path / name, [ramp], size=size))
        glance = frame.glance()
        assert glance.ndim == 2
        assert max(glance.shape) <= 64
        expected = np.linspace(16, 235, len(glance))
        np.testing.assert_allclose(glance.mean(axis=1), expected, atol=20)
