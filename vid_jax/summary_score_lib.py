"""Figures of merit of anyone's summaries of videos, without a model, beside summaries that look at little."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vid_jax.errors import UserError
from vid_jax.metrics import key_frames, video_summary
from vid_jax.report import Report, Table, comparison_table, log_summary, write_report
from vid_jax.summary_files import kind_of
from vid_jax.summary_scorers import SCORERS, Figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOT_COLUMNS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "key_frames": "key frames",
}


class _Kind(NamedTuple):
    title: str
    columns: Mapping[str, str]
    note: str


_KINDS = {
    "frames": _Kind(
        "Key frames against users'",
        key_frames.USER_COLUMNS,
        "Frames match by their 16 hues, at a Manhattan distance below 0.5, in the most pairs that there can be; "
        "means over users, then over videos. Other methods choose as many frames from the same videos.",
    ),
    "scores": _Kind(
        "Scores of frames against users'",
        video_summary.SUMMARY_COLUMNS,
        "Segments are chosen by a knapsack at 15 % of the frames; means over videos. Segments are those that come "
        "with the truth, else the clips that come with the scores, else of 2 seconds.",
    ),
    "shots": _Kind(
        "Key frames against shots",
        _SHOT_COLUMNS,
        "Precision is shots hit for each key frame, recall shots hit for each shot; means over videos. Other "
        "methods choose as many frames.",
    ),
}


def run(input_path: Path, truth_path: Path, output: Path | None = None) -> None:
    """Scores, and shows the summary table; arguments and errors as of `score`."""
    report = score(input_path, truth_path, output)
    log_summary(report, input_path, output)


def score(input_path: Path, truth_path: Path, output: Path | None = None) -> Report:
    """Summaries against what users chose or against shots, beside uniform, histogram and random summaries.

    Which protocol it is follows from the truth: VSUMM's comparison of user summaries for users' key frames, that of
    TVSum and SumMe for users' scores, coverage for shots. Videos are matched by name, but for a single one. What needs
    the videos themselves is left out, saying so, where `summary_baselines.find_video` finds none beside the truth.

    Args:
        input_path: key frames or scores, see `vid_jax.summary_inputs`.
        truth_path: see `vid_jax.summary_files`.
        output: a folder to write the report to.

    Returns:
        The report; its first table is the summary.

    Raises:
        UserError: a file cannot be read, or the two do not fit each other.
    """
    input_path, truth_path = Path(input_path), Path(truth_path)
    kind = kind_of(truth_path)
    if kind is None:
        raise UserError(f"{truth_path} holds neither users' summaries nor shots")
    title, columns, note = _KINDS[kind]
    videos = SCORERS[kind](input_path, truth_path)
    methods = _means(videos)
    rows = [
        [name, *(of["summary"].get(column) for column in columns)] for name, of in videos.items()
    ]
    tables = {
        title: comparison_table(methods, columns),
        "Videos": Table(["video", *columns.values()], rows),
    }
    scalars = dict(methods["summary"])
    for method, figures in methods.items():
        if method != "summary":
            label = method.replace(", ", "_")
            scalars |= {f"{label}_{figure}": value for figure, value in figures.items()}
    report = Report(scalars, tables, {"videos": _figure(videos, columns)} if output else {})
    if output:
        notes = [f"Summaries: {input_path}", f"Truth: {truth_path}", note]
        write_report(report, Path(output), title, notes)
    return report


def _figure(videos: Mapping[str, Mapping[str, Figures]], columns: Mapping[str, str]) -> "Figure":
    """F1 of each video; of the draws by chance their mean."""
    from vid_jax.key_frame_figures import video_dots

    name = next(column for column in columns if column.startswith("f1"))
    dots = {}
    for video, methods in videos.items():
        found = _means({video: methods})
        found.pop("random, spread", None)
        dots[video] = {method: figures[name] for method, figures in found.items()}
    return video_dots(dots, columns[name], f"{columns[name]} of {len(videos)} videos")


def _means(videos: Mapping[str, Mapping[str, Figures]]) -> dict[str, Figures]:
    """The mean over videos of each method; draws by chance become their mean and spread."""
    every = list(videos.values())
    methods = list(every[0])
    means = {method: key_frames.mean_figures([own[method] for own in every]) for method in methods}
    draws = [means.pop(method) for method in methods if method.startswith("random")]
    if draws:
        means["random"] = key_frames.mean_figures(draws)
        means["random, spread"] = {
            figure: float(np.std([draw[figure] for draw in draws], ddof=1)) for figure in draws[0]
        }
    return means
