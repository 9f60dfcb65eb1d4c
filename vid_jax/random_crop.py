"""Crops somewhere in images or videos, on the device."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


def random_crop(key: jax.Array, size: tuple[int, int], *arrays: Array) -> list[Array]:
    """Of each of `arrays` (batch, ..., height, width, channel) crops of `size`, at the same places in all.

    The place of each example is drawn from all that lie within; one crop is of all its frames. Arrays of that size
    are returned as they are.
    """
    sides = arrays[0].shape[-3:-1]
    if sides == size:
        return list(arrays)
    room = jnp.array(sides) - jnp.array(size)
    corners = jax.random.randint(key, (len(arrays[0]), 2), 0, room + 1)

    def crop(example, corner):
        *lead, _, _, channels = example.shape
        start = (*(0,) * len(lead), *corner, 0)
        return lax.dynamic_slice(example, start, (*lead, *size, channels))

    return [jax.vmap(crop)(array, corners) for array in arrays]
