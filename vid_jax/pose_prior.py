"""The linear prior of hand poses: principal components of training poses, augmented as crops are.

Oberweger, Wohlhart, Lepetit, "Hands Deep in Deep Learning for Hand Pose Estimation", CVWW 2015, section 3.2.
"""

import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vid_jax.cameras import Camera
from vid_jax.input_pipeline.hand_augmentation import Ranges, augmented_joints, draw_batch

_CHUNK = 20_000  # poses that are augmented at once


def sample_poses(
    fields: dict[str, np.ndarray],
    camera: Camera,
    modes: tuple[str, ...],
    ranges: Ranges,
    number: int,
    seed: int,
) -> Float[np.ndarray, "number joints*3"]:
    """Normalised poses, drawn with replacement and augmented.

    Args:
        fields: `joints` (n, j, 3) and `com` (n, 3) in mm, `cube` (n,).
        modes, ranges: as of `hand_augmentation.draw`.
    """
    rows = np.random.default_rng(seed).integers(len(fields["joints"]), size=number)

    @jax.jit
    def augment(joints, com, cube, index):
        draws = draw_batch(seed, index, jnp.zeros_like(index), modes, ranges)
        joints, com = augmented_joints(joints, com, draws, camera)
        half = (cube * draws.factor / 2)[:, None, None]
        return ((joints - com[:, None]) / half).reshape(len(joints), -1)

    poses = []
    for start in range(0, number, _CHUNK):
        chosen = rows[start : start + _CHUNK]
        drawn = [fields[name][chosen] for name in ("joints", "com", "cube")]
        poses.append(np.asarray(augment(*drawn, start + np.arange(len(chosen)))))
    return np.concatenate(poses)


def fit(poses: Float[np.ndarray, "n joints*3"], components: int) -> dict[str, np.ndarray]:
    """Mean (joints*3,) and orthonormal components (components, joints*3), the strongest first."""
    from sklearn.decomposition import PCA

    pca = PCA(components, svd_solver="covariance_eigh").fit(poses.astype(np.float64))
    return {
        "mean": pca.mean_.astype(np.float32),
        "components": pca.components_.astype(np.float32),
    }


def fingerprint(fields: dict[str, np.ndarray], settings: dict) -> np.ndarray:
    """(8,) uint32 of what a prior was fitted on; kept beside it and compared when it is used again.

    Of `fields` these are `joints` and `cube`: data that were moved, or are centred otherwise, stay the same.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in ("joints", "cube"):
        digest.update(np.ascontiguousarray(fields[name]).tobytes())
    return np.frombuffer(digest.digest(), np.uint32)
