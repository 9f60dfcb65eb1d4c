"""Depth maps a second from PNG to crops, augmented crops a second, and bytes a frame, for First-Person Hand Action.

The files are generated and were just written, so that no disk is waited for.

python -m benchmarks.hand_pipeline --frames=600 --json=hand_pipeline.json
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from benchmarks import results
from benchmarks.alternation import call, worker
from benchmarks.generated_fhad import write_hands
from configs import deepprior_synthetic

PUBLISHED_FRAMES = 105_459


def make_config(folder: Path, changes: Mapping[str, Any] | None = None) -> ConfigDict:
    """Crops of 128x128 about the centre of depth, augmented by default, of the files in `folder`."""
    config = deepprior_synthetic.get_config()
    config.data.validation = "fraction"  # the subject is one
    config.data.dataset = "fhad"
    config.data.source, config.data.dir = str(folder / "published"), str(folder / "prepared")
    config.lock()
    config.update_from_flattened_dict(changes or {})
    return config


def measure(num_frames: int, batch_sizes: Sequence[int], num_crops: int, rounds: int) -> list[dict]:
    """One row a stage, a tier and a batch size; stages are read in fresh processes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_hands(folder / "published", num_frames)
        prepared = []
        for turn in range(rounds):
            config = make_config(folder, {"data.dir": str(folder / f"prepared_{turn}")})
            prepared.append(_ask("prepare_hands", config))
        rows = _stages(prepared, num_frames) + _tiers(folder, prepared[0], num_frames)
        for size in batch_sizes:
            config = make_config(
                folder, {"data.dir": str(folder / "prepared_0"), "train.batch_size": size}
            )
            steps = -(-num_crops // size)
            rates = _ask("deliver", config, steps=steps, rounds=rounds)
            rows.append(_speed(f"augmented crops to the step, batch {size}", rates, ">= 1500"))
    return rows


def _ask(function: str, config: ConfigDict, **arguments):
    side = f"benchmarks.hand_pipeline_sides:{function}"
    with worker({}) as executor:
        return executor.submit(call, side, {"config": config.to_json(), **arguments}).result()


def _stages(prepared: list[dict], num_frames: int) -> list[dict]:
    raw, crop = ([turn[f"{tier} seconds"] for turn in prepared] for tier in ("raw", "crop"))
    both = [sum(seconds) for seconds in zip(raw, crop, strict=True)]
    stages = (
        ("PNG to raw tier", raw, ""),
        ("raw tier to crop tier", crop, ""),
        ("PNG to crop tier", both, ">= 100"),
    )
    return [
        _speed(stage, [num_frames / seconds for seconds in turns], target)
        for stage, turns, target in stages
    ]


def _tiers(folder: Path, prepared: dict, num_frames: int) -> list[dict]:
    files = folder / "published"
    pngs, labels = (
        sum(path.stat().st_size for path in files.rglob(name)) for name in ("*.png", "skeleton.txt")
    )
    sizes = (
        ("published PNGs", pngs, ""),
        ("published PNGs and joints", pngs + labels, ""),
        ("raw tier, joints included", prepared["raw bytes"], f"<= {pngs / num_frames:.0f}"),
        ("crop tier", prepared["crop bytes"], ""),
    )
    return [_size(tier, size / num_frames, target) for tier, size, target in sizes]


def _speed(work: str, rates: list[float], target: str) -> dict:
    rate = statistics.median(rates)
    return {
        "work": work,
        "unit": "a second",
        "figure": round(rate),
        "min": round(min(rates)),
        "max": round(max(rates)),
        "target": target,
        "of 105,459 frames": f"{PUBLISHED_FRAMES / rate / 60:.1f} min",
        "by round": rates,
    }


def _size(tier: str, size: float, target: str) -> dict:
    return {
        "work": tier,
        "unit": "bytes a frame",
        "figure": round(size),
        "min": "",
        "max": "",
        "target": target,
        "of 105,459 frames": f"{PUBLISHED_FRAMES * size / 1e9:.2f} GB",
        "by round": [],
    }


def main() -> None:
    """Measures stages, sizes and batches of 32 and 128."""
    parser = results.argument_parser(__doc__, rounds=3)
    parser.add_argument("--frames", type=results.positive, default=600, help="depth maps")
    parser.add_argument("--batch_sizes", type=results.positive, nargs="+", default=[32, 128])
    parser.add_argument("--crops", type=results.positive, default=8192, help="of a reading")
    arguments = parser.parse_args()
    rows = measure(arguments.frames, arguments.batch_sizes, arguments.crops, arguments.rounds)
    results.publish("Pipeline of hands", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
