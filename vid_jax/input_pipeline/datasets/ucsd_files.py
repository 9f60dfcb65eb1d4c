"""The files of the UCSD anomaly data sets Ped1 and Ped2, as published.

`UCSD_Anomaly_Dataset.v1p2/UCSDped{1,2}/{Train,Test}/{TrainNNN,TestNNN}/NNN.tif`, with frame labels
in `Test/UCSDped{1,2}.m` and pixel masks in `Test/TestNNN_gt/`. Mahadevan, Li, Bhalodia and
Vasconcelos, Anomaly Detection in Crowded Scenes, CVPR 2010.
"""

import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import BadFrames, decode_image, list_frames, report_gaps
from vid_jax.metrics.ucsd_labels import parse_ucsd_ranges, ranges_to_labels

ARCHIVE = "UCSD_Anomaly_Dataset.tar.gz"
ARCHIVE_URL = f"http://www.svcl.ucsd.edu/projects/anomaly/{ARCHIVE}"
HOMEPAGE = "http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm"
ARCHIVE_SHA256 = "2329af326951f5097fdd114c50e853957d3e569493a49d22fc082a9fd791915b"

# The published file cannot be decoded; the frame before it stands in for it.
CORRUPT_FRAMES = {("ped1", "Test017", 142)}


def find_root(source: Path, ped: str) -> Path:
    """The folder that holds `Train/` and `Test/` of "ped1" or "ped2", at or below `source`.

    Raises:
        UserError: there is none, or `source` is the other of the two data sets.
    """
    name = f"UCSD{ped}"
    for root in (source, source / name, source / "UCSD_Anomaly_Dataset.v1p2" / name):
        if (root / "Train").is_dir() and (root / "Test").is_dir():
            if not (root / "Test" / f"{name}.m").is_file():
                raise UserError(f"{root / 'Test' / f'{name}.m'} is missing: it holds the labels")
            return root
    raise UserError(
        f"config.data.source: {source} holds neither Train/ and Test/ nor {name}/; "
        f"give the folder or {ARCHIVE} as published"
    )


def extract(archive: Path, ped: str, folder: Path) -> Path:
    """Unpacks one of the two data sets of the published archive and returns its root."""
    logging.info("unpacking UCSD%s of %s", ped, archive)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if f"UCSD{ped}" in Path(member.name).parts:
                    tar.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{archive} cannot be unpacked ({error}); get it again") from error
    return find_root(folder, ped)


def read_training(root: Path, ped: str, bad_frames: BadFrames) -> Iterator[dict]:
    """Records of the training frames, clip by clip; every frame is normal.

    Raises:
        UserError: a gap in the numbering, or a frame that cannot be decoded.
    """
    for clip in _clips(root / "Train"):
        for number, image in _frames(clip, ped, bad_frames):
            yield _record(clip, number, image, label=0, mask=b"")


def read_test(root: Path, ped: str, bad_frames: BadFrames) -> Iterator[dict]:
    """Records of the test frames with their labels and, where published, their masks.

    Raises:
        UserError: as for training; or labels or masks that do not match the frames.
    """
    labels_file = root / "Test" / f"UCSD{ped}.m"
    ranges = parse_ucsd_ranges(labels_file.read_text(), str(labels_file))
    clips = _clips(root / "Test")
    if len(ranges) != len(clips):
        bad_frames.report(
            f"{labels_file} labels {len(ranges)} clips and {root / 'Test'} holds {len(clips)}"
        )
    for clip in clips:
        clip_number = int(clip.name.removeprefix("Test"))
        if clip_number > len(ranges):
            continue  # reported above
        last = max(list_frames(clip))
        labels = _labels(ranges[clip_number - 1], last, f"{labels_file}, {clip}", bad_frames)
        masks = _masks(clip, bad_frames)
        for number, image in _frames(clip, ped, bad_frames):
            if masks is None or number in masks:
                mask = b"" if masks is None else masks[number].read_bytes()
                yield _record(clip, number, image, label=int(labels[number - 1]), mask=mask)


def _record(clip: Path, number: int, image: bytes, label: int, mask: bytes) -> dict:
    return {"video": clip.name, "frame": number, "image": image, "label": label, "mask": mask}


def _clips(folder: Path) -> list[Path]:
    pattern = re.compile(rf"{folder.name}\d+")
    clips = sorted(p for p in folder.iterdir() if pattern.fullmatch(p.name) and p.is_dir())
    if not clips:
        raise UserError(f"{folder} holds no folders {folder.name}001, {folder.name}002, ...")
    for clip in clips:
        if not list_frames(clip):
            raise UserError(f"{clip} holds no frames")
    return clips


def _frames(clip: Path, ped: str, bad_frames: BadFrames) -> Iterator[tuple[int, bytes]]:
    """Numbers, from 1, and bytes of the frames that can be decoded."""
    frames = list_frames(clip)
    report_gaps(clip, [0, *frames], bad_frames)
    previous = None
    for number, path in frames.items():
        image = path.read_bytes()
        if decode_image(image) is None:
            if (ped, clip.name, number) in CORRUPT_FRAMES and previous:
                logging.info("%s is corrupt as published: the frame before it is used", path)
                image = previous
            else:
                bad_frames.report(f"{path} cannot be decoded")
                continue
        yield number, image
        previous = image


def _labels(ranges: list[tuple[int, int]], last: int, source: str, bad_frames: BadFrames):
    try:
        return ranges_to_labels(ranges, last, source)
    except UserError as error:
        bad_frames.report(str(error))
        within = [(first, min(end, last)) for first, end in ranges if first <= last]
        return ranges_to_labels(within, last, source)


def _masks(clip: Path, bad_frames: BadFrames) -> dict[int, Path] | None:
    """Mask files by frame number; None where no masks of the clip are published."""
    folder = clip.with_name(f"{clip.name}_gt")
    if not folder.is_dir():
        return None
    frames, masks = list_frames(clip), list_frames(folder)
    for number in sorted(frames.keys() ^ masks.keys()):
        missing = f"frame {number} has no mask" if number in frames else f"no frame {number}"
        bad_frames.report(f"{folder}: {missing}")
    for number in sorted(frames.keys() & masks.keys()):
        if decode_image(masks[number].read_bytes()) is None:
            bad_frames.report(f"{masks.pop(number)} cannot be decoded")
    return masks
