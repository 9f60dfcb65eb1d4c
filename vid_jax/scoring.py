"""Scoring anyone's predictions against labels, without a model: which protocol, and what it needs."""

from pathlib import Path

from vid_jax.action_files import is_truth
from vid_jax.errors import UserError
from vid_jax.summary_files import kind_of


def run(
    protocol: str | None,
    source: Path,
    truth: Path,
    output: Path | None,
    camera: str | None,
    coordinates: str,
) -> None:
    """Scores by one of `vid_jax.command_line.PROTOCOLS`, shows the summary and writes a report into `output`.

    Args:
        protocol: by default pose where a camera is named, else as the labels look.
        source, truth: predictions and labels.
        camera, coordinates: of poses.

    Raises:
        UserError: see the protocol's module; or poses come without a camera, others with one.
    """
    protocol = protocol or ("pose" if camera else _recognised(truth))
    if (protocol == "pose") != bool(camera):
        raise UserError(
            "--protocol=pose needs --camera, such as nyu or fx,fy,cx,cy,WIDTHxHEIGHT"
            if protocol == "pose"
            else f"--camera={camera}: --protocol={protocol} needs none"
        )
    if protocol == "pose":
        from vid_jax import pose_score_lib

        pose_score_lib.run(source, truth, camera, coordinates, output)
    elif protocol == "action":
        from vid_jax import action_score_lib

        action_score_lib.run(source, truth, output)
    elif protocol == "summary":
        from vid_jax import summary_score_lib

        summary_score_lib.run(source, truth, output)
    else:
        from vid_jax import score_lib

        score_lib.run(source, truth, output)


def _recognised(truth: Path) -> str:
    if is_truth(truth):
        return "action"
    return "summary" if kind_of(truth) else "anomaly"
