"""Does a compiled step fit? XLA's own analysis against what is free."""

from pathlib import Path

import jax
import psutil

from vid_jax.errors import UserError


def check_fits(compiled: jax.stages.Compiled, advice: str) -> int:
    """Returns the bytes that a compiled function needs on each device.

    Raises:
        UserError: more than is free, in one line that ends with `advice`.
    """
    analysis = compiled.memory_analysis()
    if analysis is None:
        return 0
    needed = (
        analysis.temp_size_in_bytes
        + analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        - analysis.alias_size_in_bytes
    )
    free = free_bytes()
    if needed > free:
        raise UserError(
            f"a training step needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; {advice}"
        )
    return needed


def free_bytes() -> int:
    """Free memory of a device; on CPU the machine's, within the limit of the process's control group,
    shared among the simulated devices."""
    device = jax.local_devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    free = psutil.virtual_memory().available
    limit, used = (
        _read_bytes(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current")
    )
    if limit is not None and used is not None:
        free = min(free, limit - used)
    return free // jax.local_device_count()


def _read_bytes(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
