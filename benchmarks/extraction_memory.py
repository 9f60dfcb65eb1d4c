"""Peak memory of finding key frames in a video of 1280x720, and in the same again and again.

python -m benchmarks.extraction_memory --minutes 1 60 --json=extraction_memory.json
"""

import tempfile
import time
from pathlib import Path

from benchmarks import results
from benchmarks.alternation import worker
from benchmarks.extraction_sides import extraction, repeat_video, write_video
from benchmarks.memory import status_bytes


def measure(path: Path, minutes: int, workdir: str) -> results.Row:
    """Of a fresh process."""
    with worker({}) as executor:
        peak, seconds = executor.submit(_peak, str(path), workdir).result()
    return {
        "minutes of video": minutes,
        "peak MB": peak / 1e6,
        "seconds": seconds,
        "times real time": 60 * minutes / seconds,
    }


def _peak(path: str, workdir: str) -> tuple[int, float]:
    run = extraction(path, workdir)
    start = time.perf_counter()
    run()
    return status_bytes("VmHWM"), time.perf_counter() - start


def main() -> None:
    """Measures a minute of video, repeated."""
    parser = results.argument_parser(__doc__, rounds=1)
    results.add_key_clip_workdir(parser)
    parser.add_argument(
        "--minutes", type=results.positive, nargs="+", default=[1, 10], help="of each video"
    )
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        minute = Path(folder) / "minute.mp4"
        write_video(minute, 60)
        for minutes in arguments.minutes:
            path = Path(folder) / f"{minutes}.mp4"
            repeat_video(minute, path, minutes)
            rows += [measure(path, minutes, arguments.workdir) for _ in range(arguments.rounds)]
    results.publish("Peak memory of finding key frames", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
