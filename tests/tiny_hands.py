"""Writers of tiny data sets of hands in depth maps, in the formats of their authors."""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from vid_jax.cameras import CAMERAS, Camera
from vid_jax.hand_joints import NYU_EVALUATED, SKELETONS
from vid_jax.input_pipeline.datasets import fhad_files

BACKGROUND = 1100  # mm


def hand_points(dataset: str, sequence: str, frame: int) -> np.ndarray:
    """Joints (joints, 3) float32 in mm, y down, about (0, 0, 450), of an open hand that moves a little.

    Every frame's are others; the fingers point up and spread, and nearer the camera towards a side.
    """
    skeleton = SKELETONS[dataset]
    seed = int(hashlib.sha256(f"{sequence} {frame}".encode()).hexdigest()[:8], 16)
    rng = np.random.default_rng(seed)
    points = np.zeros((len(skeleton.joints), 3))
    palm = np.array([0, 35, 0])
    points[:] = palm  # joints of no chain: the wrist of NYU
    for finger, chain in enumerate(skeleton.chains):
        angle = np.radians(-50 + 22 * finger + rng.uniform(-6, 6))
        direction = np.array([np.sin(angle), -np.cos(angle), rng.uniform(-0.3, 0.3)])
        for step, joint in enumerate(chain):
            points[joint] = palm + direction * 95 * step / (len(chain) - 1)
    points[:, 2] += 0.1 * points[:, 0]
    points += np.array([0, 0, 450]) + rng.uniform(-20, 20, 3)
    return points.astype(np.float32)


def hand_depth(dataset: str, points: np.ndarray, background: int = BACKGROUND) -> np.ndarray:
    """Depth (height, width) uint16 of fingers 16 mm wide from joint to joint, flat at each joint's depth."""
    camera, skeleton = CAMERAS[dataset], SKELETONS[dataset]
    depth = np.full((camera.height, camera.width), background, np.uint16)
    pixels = camera.project(np.asarray(points, np.float64))
    width = round(16 * camera.fx / 450)
    ends = [(joint, joint) for joint in range(len(pixels))]
    for before, after in [*skeleton.bones, *ends]:
        u, v = np.rint(pixels[[before, after], :2]).astype(int).T.tolist()
        value = round(float(pixels[after, 2]))
        cv2.line(depth, (u[0], v[0]), (u[1], v[1]), value, width)
    return depth


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def nyu_png(depth: np.ndarray) -> bytes:
    """Depth packed in green and blue; red is what the sensor left there."""
    red = np.full_like(depth, 7)
    return png(np.stack([depth & 255, depth >> 8, red], axis=-1).astype(np.uint8))


def msra_bin(depth: np.ndarray, camera: Camera | None = None) -> bytes:
    """The box of depth that is not 0, in the format of MSRA15."""
    camera = camera or CAMERAS["msra15"]
    rows, columns = np.nonzero(depth.any(axis=1))[0], np.nonzero(depth.any(axis=0))[0]
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    header = struct.pack("<6I", camera.width, camera.height, left, top, right, bottom)
    return header + depth[top:bottom, left:right].astype("<f4").tobytes()


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in np.ravel(values))


def write_msra15(
    root: Path,
    subjects: Iterable[str] = ("P0", "P1", "P2"),
    gestures: Iterable[str] = ("1", "Y"),
    frames: int = 4,
) -> Path:
    """`frames` frames of each gesture of each subject; joints y up and z towards the camera."""
    for sequence in (f"{subject}/{gesture}" for subject in subjects for gesture in gestures):
        lines = []
        for frame in range(frames):
            points = hand_points("msra15", sequence, frame)
            depth = hand_depth("msra15", points, background=0)
            write(root / sequence / f"{frame:06d}_depth.bin", msra_bin(depth))
            write(root / sequence / f"{frame:06d}_depth.jpg", b"a picture of the frame")
            lines.append(numbers(points * [1, -1, -1]))
        (root / sequence / "joint.txt").write_text("\n".join([str(frames), *lines, ""]))
    return root


# Of three subjects, of actions with and without test objects of the cross-object protocol.
FHAD_SEQUENCES = {
    "train": ("Subject_1/put_salt/2", "Subject_2/pour_milk/2", "Subject_3/high_five/2"),
    "test": ("Subject_1/put_salt/1", "Subject_2/pour_milk/1", "Subject_3/high_five/1"),
}


def write_fhad(
    root: Path,
    sequences: Mapping[str, Iterable[str]] = FHAD_SEQUENCES,
    frames: int = 3,
    version: str = "_v1_1",
    depth: bool = True,
) -> Path:
    """`frames` frames of each sequence of the split file's parts "train" and "test"; without depth, joints alone."""
    parts = []
    for split, title in (("train", "Training"), ("test", "Test")):
        parts.append(f"{title} {len([*sequences[split]])}")
        for sequence in sequences[split]:
            parts.append(f"{sequence} {fhad_files.ACTIONS.index(sequence.split('/')[1])}")
            write_fhad_sequence(root, sequence, frames, version, depth)
    (root / fhad_files.SPLIT_FILE).write_text("\n".join([*parts, ""]))
    return root


def write_fhad_sequence(
    root: Path, sequence: str, frames: int = 3, version: str = "_v1_1", depth: bool = True
) -> None:
    lines = []
    for frame in range(frames):
        points = hand_points("fhad", sequence, frame)
        if depth:
            file = root / "Video_files" / sequence / "depth" / f"depth_{frame:04d}.png"
            write(file, png(hand_depth("fhad", points)))
        lines.append(f"{frame} {numbers(points)}")
    labels = root / f"Hand_pose_annotation{version}" / sequence / "skeleton.txt"
    write(labels, "\n".join([*lines, ""]).encode())


def write_nyu(root: Path, train: int = 4, test: int = 3, written: Iterable[int] = ()) -> Path:
    """Frames 1 to `train` and 1 to `test`, or of test only those `written`; all are labelled."""
    for split, frames in (("train", train), ("test", test)):
        joints = np.zeros((3, frames, 36, 3))
        for frame in range(1, frames + 1):
            points = hand_points("nyu", split, frame)
            joints[0, frame - 1, NYU_EVALUATED] = points * [1, -1, 1]
            if split == "test" and written and frame not in written:
                continue
            depth = nyu_png(hand_depth("nyu", points))
            write(root / split / f"depth_1_{frame:07d}.png", depth)
            write(root / split / f"depth_2_{frame:07d}.png", b"of another camera")
            write(root / split / f"rgb_1_{frame:07d}.png", b"a picture of the frame")
        uvd = np.zeros_like(joints)
        contents = {"joint_xyz": joints, "joint_uvd": uvd}
        scipy.io.savemat(root / split / "joint_data.mat", contents, do_compression=True)
    return root


def write_icvl(root: Path, train: int = 4, test: int = 3, official: bool = True) -> Path:
    """`train` frames of each of two recordings and turned copies of one, `test` of each test sequence.

    Without `official` the files are in one folder, as many pass them on.
    """
    recordings = ("201403121135", "201403121140", "22-5/201403121135")
    layout = [
        ("labels.txt", recordings, "Training", train),
        ("test_seq_1.txt", ("test_seq_1",), "Testing", test),
        ("test_seq_2.txt", ("test_seq_2",), "Testing", test),
    ]
    for labels, sequences, part, frames in layout:
        folder = root / part if official else root
        lines = []
        for sequence in sequences:
            for frame in range(frames):
                points = hand_points("icvl", sequence, frame)
                name = f"{sequence}/image_{frame:04d}.png"
                write(folder / "Depth" / name, png(hand_depth("icvl", points)))
                lines.append(f"{name} {numbers(CAMERAS['icvl'].project(points))} ")
        name = "train.txt" if labels == "labels.txt" and not official else labels
        (folder / name).write_text("\n".join([*lines, ""]))
    return root
