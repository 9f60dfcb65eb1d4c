"""Data parallelism: the batch is split over the devices, the state is on all of them."""

import jax
import numpy as np
from absl import logging
from jax.sharding import AxisType, Mesh, NamedSharding

from vid_jax.errors import UserError

BATCH_AXIS = "data"


def create_mesh(batch_size: int) -> Mesh:
    """A mesh of all devices, or of the largest number of them that divides `batch_size`.

    Raises:
        UserError: several processes and a batch that their devices do not divide; none of them can sit out.
    """
    devices = jax.devices()
    used = max(n for n in range(1, len(devices) + 1) if batch_size % n == 0)
    if used < len(devices):
        if jax.process_count() > 1:
            raise UserError(
                f"train.batch_size={batch_size} is not a multiple of the {len(devices)} devices of "
                f"{jax.process_count()} processes; change it or set train.batch_per_device"
            )
        logging.info(
            "Using %d of %d devices: they must divide the batch of %d.",
            used,
            len(devices),
            batch_size,
        )
    return jax.make_mesh(
        (used,), (BATCH_AXIS,), axis_types=(AxisType.Auto,), devices=devices[:used]
    )


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of parameters, optimiser and metrics."""
    return NamedSharding(mesh, jax.P())


def batched(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch: its first axis over the devices."""
    return NamedSharding(mesh, jax.P(BATCH_AXIS))


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Makes the global batch from the slice that this process has read."""
    sharding = batched(mesh)
    return jax.tree.map(
        lambda array: jax.make_array_from_process_local_data(sharding, array), batch
    )


def to_host(tree):
    """The tree as NumPy arrays, gathered from all processes where the batch is spread over several."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        return multihost_utils.process_allgather(tree, tiled=True)
    return jax.device_get(tree)
