"""How fast key frames are found in a video of 1280x720 at 30 frames a second.

    python -m benchmarks.extraction --json=extraction.json

"to files" writes all that a user gets, but clips. PySceneDetect looks for cuts in the same file and writes nothing, so
it stands beside what does the same; "decoding" looks at no frame.
"""

import tempfile
from pathlib import Path

from benchmarks import results
from benchmarks.alternation import Side, alternate, ratio
from benchmarks.comparison import spread
from benchmarks.extraction_sides import write_video

TARGETS = {"vid_jax": "not slower", "vid_jax to files": ">= 10 times real time"}
_SECONDS = 60


def measure(path: Path, workdir: str, rounds: int) -> list[results.Row]:
    """One row a side; `times ours` is the median over the rounds of its seconds over those of the first."""

    def side(name: str, function: str, requires: str = "", **arguments: str) -> Side:
        build = f"benchmarks.extraction_sides:{function}"
        return Side(name, build, {"path": str(path)} | arguments, requires=requires)

    sides = [
        side("vid_jax", "analysis", workdir=workdir),
        side("vid_jax to files", "extraction", workdir=workdir),
        side("vid_jax, histograms", "analysis", workdir=""),
        side("vid_jax, histograms, to files", "extraction", workdir=""),
        side("decoding", "decoding"),
        side("PySceneDetect content", "scenes", "scenedetect", detector="content"),
        side("PySceneDetect adaptive", "scenes", "scenedetect", detector="adaptive"),
    ]
    times = alternate(sides, rounds)
    ours = times["vid_jax"]
    return [
        {
            "side": name,
            **spread(own),
            "times real time": _SECONDS / own.median,
            "times ours": None if own is ours else ratio(own, ours),
            "target": TARGETS.get(name, ""),
        }
        for name, own in times.items()
    ]


def main() -> None:
    """Measures one video of a minute."""
    parser = results.argument_parser(__doc__, rounds=3)
    results.add_key_clip_workdir(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, _SECONDS)
        rows = measure(path, arguments.workdir, arguments.rounds)
    title = f"Key frames of {_SECONDS} s of 1280x720 at 30 frames a second"
    results.publish(title, rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
