import csv
import json
import logging
import struct

import av
import cv2
import numpy as np
import pytest
from tiny_data import write_image
from tiny_films import film, scene, write_film

from vid_jax.errors import UserError
from vid_jax.input_pipeline.video_reader import iterate_video
from vid_jax.key_clip_settings import Settings
from vid_jax.key_clips import extract

HISTOGRAM = Settings(embedding="histogram")


def rows(output):
    with (output / "keyframes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def frames(output):
    return [int(row["frame"]) for row in rows(output)]


@pytest.fixture(scope="module")
def three_scenes(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "three.mp4", film([50, 30, 40]))


@pytest.mark.parametrize("image_format", ["jpg", "png"])
def test_what_is_written_of_a_film(three_scenes, tmp_path, image_format):
    settings = Settings(embedding="histogram", image_format=image_format, clips="exact")
    extract(three_scenes, tmp_path / "out", settings)
    found = rows(tmp_path / "out")
    edges = [0, 2, 3.2, 4.8]
    assert [float(row["clip_start"]) for row in found] == edges[:-1]
    np.testing.assert_allclose([float(row["clip_end"]) for row in found], edges[1:])
    for number, row in enumerate(found):
        assert edges[number] <= float(row["timestamp"]) < edges[number + 1]
        assert float(row["timestamp"]) == pytest.approx((int(row["frame"]) - 1) / 25)
        image = cv2.imread(str(tmp_path / "out" / row["image"]), cv2.IMREAD_COLOR_RGB)
        assert np.abs(image.astype(int) - scene(number)).mean() < 8
        clip = list(iterate_video(tmp_path / "out" / row["clip"]))
        assert len(clip) == round(25 * (edges[number + 1] - edges[number]))
        assert float(row["clip_file_start"]) == edges[number]
        assert float(row["sharpness"]) > 0
        assert row["image"].endswith(image_format)
    record = json.loads((tmp_path / "out/keyframes.json").read_text())
    assert [own["frame"] for own in record["keyframes"]] == frames(tmp_path / "out")
    assert record["keyframes"][0]["score"] is None
    assert record["num_frames"] == 120
    assert record["seconds"] == pytest.approx(4.8)
    assert record["settings"]["selector"] == "change_points"
    page = (tmp_path / "out/index.html").read_text()
    for name in ("contact_sheet.png", "distance_curve.png"):
        assert name in page
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_a_network_embeds_small_images_in_batches(three_scenes, tmp_path):
    seen = []

    def embed(images):
        seen.extend(image.shape for image in images)
        return np.stack([image.reshape(-1, 3).mean(axis=0) - 128 for image in images])

    settings = Settings(embedding="autoencoder")
    analysis = extract(three_scenes, tmp_path / "out", settings, embed)
    assert seen == [(48, 80, 3)] * len(analysis.times)
    assert len(analysis.choice.kept) == 3
    both = extract(three_scenes, tmp_path / "both", Settings(), embed)
    assert len(both.choice.kept) == 3
    with pytest.raises(UserError, match="embedding=both needs a trained network"):
        extract(three_scenes, tmp_path / "none", Settings())


def test_clips_are_copied_from_the_codecs_key_frame(three_scenes, tmp_path):
    extract(three_scenes, tmp_path, Settings(embedding="histogram", clips="copy"))
    for row in rows(tmp_path):
        assert float(row["clip_file_start"]) <= float(row["clip_start"])
        assert list(iterate_video(tmp_path / row["clip"]))


def test_the_same_twice(three_scenes, tmp_path):
    for name in ("one", "two"):
        extract(three_scenes, tmp_path / name, HISTOGRAM)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    for file in files:
        if file.suffix != ".png":
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_uniform_key_frames_need_neither_embedding_nor_curve(three_scenes, tmp_path):
    extract(three_scenes, tmp_path, Settings(selector="uniform", number=2))
    assert len(rows(tmp_path)) == 2
    assert not (tmp_path / "distance_curve.png").exists()


def test_no_such_file_and_no_video(tmp_path):
    with pytest.raises(UserError, match=r"gone\.mp4 does not exist"):
        extract(tmp_path / "gone.mp4", tmp_path / "out", HISTOGRAM)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"text\.mp4 cannot be read as a video"):
        extract(tmp_path / "text.mp4", tmp_path / "out", HISTOGRAM)
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(UserError, match=r"sound\.wav holds no video stream"):
        extract(tmp_path / "sound.wav", tmp_path / "out", HISTOGRAM)
    assert not (tmp_path / "out").exists()


def test_a_video_without_frames(tmp_path):
    path = write_film(tmp_path / "a.avi", film([3]), codec="mjpeg", pixels="yuvj420p")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])
    with pytest.raises(UserError, match=r"a\.avi holds no frame that can be decoded"):
        extract(path, tmp_path / "out", HISTOGRAM)


@pytest.mark.parametrize(("name", "length"), [("a.mkv", " of 4.00 s"), ("a.avi", "")])
def test_a_cut_off_video_keeps_what_was_decoded_and_says_how_much(tmp_path, caplog, name, length):
    path = write_film(tmp_path / name, film([50, 50]), codec="mpeg4")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    with caplog.at_level(logging.WARNING):
        analysis = extract(path, tmp_path / "out", HISTOGRAM)
    kept = len(analysis.frame_times)
    assert 60 < kept < 80
    assert len(rows(tmp_path / "out")) == 2
    assert f"{kept / 25:.2f} s{length} are there" in caplog.text


def test_frames_lost_in_the_middle_are_counted(tmp_path, caplog):
    for number in range(1, 31):
        write_image(tmp_path / f"walk/{number}.png", scene(0))
    (tmp_path / "walk/12.png").write_bytes(b"broken")
    with caplog.at_level(logging.WARNING):
        extract(tmp_path / "walk", tmp_path / "out", HISTOGRAM)
    assert "1 of 30 frames cannot be decoded and are left out" in caplog.text
    assert "1 of 30 frames cannot be decoded" in (tmp_path / "out/index.html").read_text()


@pytest.mark.parametrize("length", [1, 2, 100])
def test_a_static_video_has_one_key_frame(tmp_path, length):
    path = write_film(tmp_path / "a.mp4", [scene(3)] * length)
    extract(path, tmp_path / "out", HISTOGRAM)
    assert len(rows(tmp_path / "out")) == 1


def test_a_black_video_has_one_key_frame_and_black_frames_of_others_none(tmp_path, caplog):
    black = np.zeros((48, 80, 3), np.uint8)
    with caplog.at_level(logging.WARNING):
        extract(write_film(tmp_path / "a.mp4", [black] * 40), tmp_path / "black", HISTOGRAM)
    assert len(rows(tmp_path / "black")) == 1
    assert "all is black, flat or blurred" in caplog.text
    path = write_film(tmp_path / "b.mp4", [black] * 40 + film([40, 40]) + [black] * 40)
    extract(path, tmp_path / "out", HISTOGRAM)
    found = frames(tmp_path / "out")
    assert [(number - 1) // 40 for number in found] == [1, 2]


@pytest.mark.parametrize("rate", [None, 0.5, 3])
def test_few_frames_a_second_or_an_unknown_rate(tmp_path, rate):
    if rate is None:
        path = write_film(tmp_path / "a.h264", film([50, 50]))
    else:
        path = write_film(tmp_path / "a.mp4", film([8, 8]), rate=rate)
    extract(path, tmp_path / "out", HISTOGRAM)
    half = 50 if rate is None else 8
    assert [(number - 1) // half for number in frames(tmp_path / "out")] == [0, 1]


def test_a_rotated_video_gives_upright_key_frames(tmp_path):
    path = write_film(tmp_path / "a.mov", film([30, 30]))
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    clockwise = (0, 1, 0, -1, 0, 0, 0, 0, 1 << 14)
    data[matrix : matrix + 36] = struct.pack(">9i", *(value << 16 for value in clockwise))
    path.write_bytes(data)
    extract(path, tmp_path / "out", Settings(embedding="histogram", clips="copy"))
    for number, row in enumerate(rows(tmp_path / "out")):
        image = cv2.imread(str(tmp_path / "out" / row["image"]), cv2.IMREAD_COLOR_RGB)
        assert np.abs(image.astype(int) - np.rot90(scene(number), -1)).mean() < 10
        _, first = next(iterate_video(tmp_path / "out" / row["clip"]))
        assert first.shape == (80, 48, 3)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mkv", "ffv1", "yuv420p10le"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mkv", "ffv1", "gray10le"),
        ("a.mkv", "ffv1", "yuva444p"),
        ("a.mkv", "ffv1", "bgr0"),
        ("a.mkv", "rawvideo", "yuyv422"),
        ("a.mov", "png", "rgb48be"),
        ("a.mp4", "libx264", "yuv420p10le"),
    ],
)
def test_pixel_formats(tmp_path, name, codec, pixels):
    path = write_film(tmp_path / name, film([30, 30]), codec=codec, pixels=pixels)

    def embed(images):
        return np.stack([cv2.resize(image, (5, 3)).ravel() - 128.0 for image in images])

    extract(path, tmp_path / "out", Settings(embedding="autoencoder"), embed)
    assert [(number - 1) // 30 for number in frames(tmp_path / "out")] == [0, 1]


def test_an_output_folder_that_holds_something(three_scenes, tmp_path):
    settings = Settings(embedding="histogram", clips="exact", overwrite=True)
    extract(three_scenes, tmp_path, settings)
    with pytest.raises(UserError, match="is not empty; name another folder or set overwrite=True"):
        extract(three_scenes, tmp_path, HISTOGRAM)
    (tmp_path / "mine.txt").write_text("mine")
    extract(three_scenes, tmp_path, Settings(selector="uniform", number=1, overwrite=True))
    assert len(list((tmp_path / "keyframes").iterdir())) == 1
    assert not (tmp_path / "clips").exists()
    assert not (tmp_path / "distance_curve.png").exists()
    assert (tmp_path / "mine.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file; --output names a folder"):
        extract(three_scenes, tmp_path / "file", HISTOGRAM)


def test_what_is_not_ours_in_the_output_stays(three_scenes, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/holiday.mp4").write_bytes(three_scenes.read_bytes())
    settings = Settings(embedding="histogram", clips="exact", overwrite=True)
    extract(three_scenes, tmp_path, settings)
    extract(three_scenes, tmp_path, settings)
    names = sorted(path.name for path in (tmp_path / "clips").iterdir())
    assert names == ["0001.mp4", "0002.mp4", "0003.mp4", "holiday.mp4"]
    with pytest.raises(UserError, match="lies in the output folder"):
        extract(tmp_path / "clips/holiday.mp4", tmp_path, settings)


def test_the_last_frame_is_shown_for_its_own_time(tmp_path):
    times = [*(0.04 * i for i in range(50)), 20.0]
    path = write_film(tmp_path / "a.mkv", film([51]), times=times)
    extract(path, tmp_path / "out", HISTOGRAM)
    assert float(rows(tmp_path / "out")[-1]["clip_end"]) == pytest.approx(20.04, abs=0.02)


def test_files_joined_end_to_end_are_one_video(tmp_path):
    one = write_film(tmp_path / "one.ts", film([50])).read_bytes()
    (tmp_path / "both.ts").write_bytes(one + one)
    times = [time for time, _ in iterate_video(tmp_path / "both.ts")]
    assert len(times) == 100
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-3)


def test_a_run_that_fails_leaves_nothing_behind(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        cv2.imwrite(str(images / f"{number:03d}.png"), np.full((8, 8, 3), 80 * number, np.uint8))
    settings = Settings(embedding="histogram", clips="copy")
    with pytest.raises(UserError, match="images cannot be copied into clips"):
        extract(images, tmp_path / "out", settings)
    assert not list((tmp_path / "out").iterdir())


def test_more_key_frames_asked_for_than_there_are_candidates(three_scenes, tmp_path, caplog):
    settings = Settings(embedding="histogram", selector="k_medoids", number=50)
    with caplog.at_level(logging.WARNING):
        analysis = extract(three_scenes, tmp_path, settings)
    assert len(rows(tmp_path)) == len(analysis.times) < 10
    assert f"number=50, but there are only {len(analysis.times)} candidates" in caplog.text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"selector": "best"}, "selector='best' is unknown; use one of change_points"),
        ({"embedding": "clip"}, "embedding='clip' is unknown; use one of both"),
        ({"image_format": "gif"}, "image_format='gif' is unknown; use one of jpg, png"),
        ({"clips": "all"}, "clips='all' is unknown; use one of none, copy, exact"),
        ({"window": 0}, "window=0 makes no sense; it must be above 0"),
        ({"samples_per_second": -1}, "samples_per_second=-1 makes no sense"),
        ({"min_gap": -1}, "min_gap=-1 makes no sense; it must be 0 or more"),
        ({"max_count": float("nan")}, "max_count=nan makes no sense"),
        ({"threshold": "high"}, "threshold='high' is neither auto nor a number above 0"),
        ({"threshold": 0}, "threshold=0 is neither auto nor a number above 0"),
        ({"selector": "k_medoids"}, "selector=k_medoids needs number"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, values, message):
    with pytest.raises(UserError, match=message):
        extract(tmp_path / "any.mp4", tmp_path / "out", Settings(**values))
