"""What a user can get wrong, and what can go wrong for them: one line, a non-zero exit, nothing lost."""

import fcntl
import json
import re
import shutil
from collections import namedtuple

import pytest
from tiny_data import write_video

import main
from vid_jax import checkpoints, memory

CONFIG = "--config=configs/memae_ped2.py"


def error_of(arguments, capsys) -> str:
    """Runs the command line, which must fail with one line."""
    assert main.main(["main.py", *arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--config", "--workdir"]),
        ([CONFIG], ["--workdir"]),
        ([CONFIG, "--workdir=x", "--config.train.batchsize=3"], ["batchsize"]),
        ([CONFIG, "--workdir=x", "--config.train.batch_size=many"], ["batch_size", "many"]),
        ([CONFIG + ":gpu", "--workdir=x"], ["gpu", "cpu", "demo"]),
        (["--config=configs/memae.py", "--workdir=x"], ["configs/memae.py"]),
        ([CONFIG, "--workdir=x", "--mode=fly"], ["mode", "fly", "evaluate"]),
        ([CONFIG, "--workdir=x", "--modes=train"], ["modes"]),
        ([CONFIG, "--workdir=x", "train"], ["'train'", "--mode=train"]),
        (["--mode=predict", CONFIG, "--workdir=x"], ["--input", "--output"]),
        (["--mode=score", "--input=x"], ["--truth"]),
        ([CONFIG, "--workdir=x", "--config.task=magic"], ["task='magic'", "memae"]),
        (
            [CONFIG, "--workdir=x", "--config.model.channels=(8, 16, 32)"],
            ["model.strides=((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2))", "3 model.channels"],
        ),
        (
            [CONFIG, "--workdir=x", "--config.model.memory_addressing=sine"],
            ["model.memory_addressing='sine'", "cosine, dot"],
        ),
        (
            ["--config=configs/prednet_ped2.py:x", "--workdir=x"],
            ["prednet_ped2.py:x", "variant 'x' is unknown; use one of cpu, demo"],
        ),
        (["--mode=evaluate", CONFIG, "--workdir=not_there"], ["not_there", "train first"]),
        (
            [CONFIG, "--workdir=x", "--config.data.eval_num_frames=20"],
            ["data.eval_num_frames=20", "set it to 0"],
        ),
        (
            [CONFIG, "--workdir=x", "--config.train.microbatch=5"],
            ["train.microbatch=5", "18", "1, 2, 3, 6, 9"],
        ),
        (
            [CONFIG, "--workdir=x", "--config.optimizer.name=adm"],
            ["optimizer.name='adm'", "ranger"],
        ),
        (
            [CONFIG, "--workdir=x", "--config.optimizer.schedule=zigzag"],
            ["optimizer.schedule='zigzag'", "cosine"],
        ),
        (
            [CONFIG, "--workdir=x", "--config.data.dataset=ped3"],
            ["data.dataset='ped3'", "ucsd_ped2"],
        ),
        ([CONFIG, "--workdir=x", "--config.data.source=/no/such"], ["data.source", "/no/such"]),
        (["--mode=evaluate", "--workdir=/no/such"], ["--config"]),
    ],
)
def test_mistakes_on_the_command_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(main.Path(main.__file__).parent / "configs")
    error = error_of(arguments, capsys)
    for word in words:
        assert word in error
    assert not (tmp_path / "x" / "config.json").exists()


@pytest.fixture
def copy_of_run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.workdir, tmp_path / "run")


def test_empty_source(tiny_run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    flags = tiny_run.flags(tmp_path / "run", data__source=tmp_path / "empty")
    assert "is empty" in error_of(flags[1:], capsys)


def test_workdir_of_another_config(tiny_run, copy_of_run, capsys):
    before = (copy_of_run / "config.json").read_text()
    flags = tiny_run.flags(copy_of_run, model__memory_slots=11, seed=1, eval__smoothing_sigma=2.0)
    error = error_of(flags[1:], capsys)
    assert "model.memory_slots was 10, is 11" in error
    assert "seed was 0, is 1" in error
    assert "smoothing" not in error
    assert (copy_of_run / "config.json").read_text() == before


def test_fewer_epochs_than_before(tiny_run, copy_of_run, capsys):
    error = error_of(tiny_run.flags(copy_of_run, train__epochs=1)[1:], capsys)
    assert "train.epochs was 2, is 1" in error


def test_broken_config_of_a_workdir(copy_of_run, capsys):
    (copy_of_run / "config.json").write_text("{")
    error = error_of(["--mode=evaluate", f"--workdir={copy_of_run}"], capsys)
    assert "config.json is not valid JSON" in error


@pytest.mark.parametrize("text", [b"[1]", b'{"data": {"frame_size": "x"}}', b"\xff"])
def test_config_of_a_workdir_that_is_of_no_run(text, tmp_path, capsys):
    (tmp_path / "config.json").write_bytes(text)
    error = error_of(["--mode=evaluate", f"--workdir={tmp_path}"], capsys)
    assert f"{tmp_path / 'config.json'} is not the config of a run" in error


def test_second_run_in_a_workdir_refuses(tiny_run, copy_of_run, capsys):
    with open(copy_of_run / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is in use by another run" in error_of(tiny_run.flags(copy_of_run)[1:], capsys)
    # A lock file left by a run that was killed holds nothing.
    assert main.main(tiny_run.flags(copy_of_run)) == 0


def test_workdir_that_cannot_be_written(tiny_run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    error = error_of(tiny_run.flags(tmp_path / "file")[1:], capsys)
    assert "cannot be written" in error


def test_too_little_memory_is_said_before_the_first_step(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000)
    error = error_of(tiny_run.flags(tmp_path)[1:], capsys)
    for word in ("train.microbatch", ":cpu", "are free"):
        assert word in error
    assert not (tmp_path / "train_log.csv").exists()
    # The mend is accepted in the same workdir, as nothing has been trained in it.
    monkeypatch.undo()
    assert main.main(tiny_run.flags(tmp_path, train__microbatch=2, train__epochs=1)) == 0


def test_disk_full_keeps_what_there_is(tiny_run, copy_of_run, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: usage(1000, 1000, 0))
    flags = tiny_run.flags(copy_of_run, train__epochs=3)
    error = error_of(flags[1:], capsys)
    assert "checkpoint of step 9" in error
    assert "0 MB free" in error
    monkeypatch.undo()
    assert main.main(flags) == 0


def truncate(checkpoint):
    """Cuts every larger file of a checkpoint in half."""
    files = [path for path in checkpoint.rglob("*") if path.is_file()]
    assert files
    for path in files:
        if path.stat().st_size > 200:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_truncated_checkpoint_falls_back_to_the_one_before(tiny_run, copy_of_run, capsys):
    truncate(copy_of_run / "checkpoints/6")
    assert main.main(tiny_run.flags(copy_of_run)) == 0
    log = capsys.readouterr().err
    assert "checkpoints/6 is damaged" in log
    assert "Going on from the checkpoint of step 3." in log
    assert (copy_of_run / "damaged_checkpoints/6").exists()
    assert (copy_of_run / "checkpoints/6").exists()
    assert tiny_run.metrics(copy_of_run) == tiny_run.metrics()


def test_evaluating_a_truncated_checkpoint_names_it(copy_of_run, capsys):
    truncate(copy_of_run / "checkpoints/6")
    error = error_of(["--mode=evaluate", f"--workdir={copy_of_run}", "--step=6"], capsys)
    assert "checkpoints/6 is damaged" in error
    assert "--step" in error


def test_step_without_a_checkpoint_lists_those_there_are(tiny_run, capsys):
    error = error_of(["--mode=evaluate", f"--workdir={tiny_run.workdir}", "--step=4"], capsys)
    assert "no checkpoint of step 4; it has: 3, 6" in error


def test_workdir_without_a_checkpoint(copy_of_run, capsys):
    shutil.rmtree(copy_of_run / "checkpoints")
    error = error_of(["--mode=evaluate", f"--workdir={copy_of_run}"], capsys)
    assert "holds no checkpoint; train first" in error


def test_loss_that_leaves_the_numbers_names_step_and_metric(tiny_run, tmp_path, capsys):
    flags = tiny_run.flags(tmp_path, optimizer__name="sgd", optimizer__learning_rate=1e30)
    error = error_of(flags[1:], capsys)
    assert re.search(r"\w+ is (nan|inf) at step 2", error)
    assert "optimizer.learning_rate" in error


def test_predict_before_evaluate(tiny_run, copy_of_run, tmp_path, capsys):
    (copy_of_run / "calibration.json").unlink()
    video = write_video(tmp_path / "a.avi", [0, 50, 100, 150])
    arguments = [
        "--mode=predict",
        f"--workdir={copy_of_run}",
        f"--input={video}",
        f"--output={tmp_path / 'out'}",
    ]
    assert "run --mode=evaluate" in error_of(arguments, capsys)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "does not exist"), (b"", "cannot be read"), ([0, 9], "fewer than a window of 4")],
)
def test_predict_on_a_bad_video(tiny_run, tmp_path, capsys, content, words):
    video = tmp_path / "a.avi"
    if isinstance(content, bytes):
        video.write_bytes(content)
    elif content:
        write_video(video, content)
    arguments = [
        "--mode=predict",
        f"--workdir={tiny_run.workdir}",
        f"--input={video}",
        f"--output={tmp_path / 'out'}",
    ]
    error = error_of(arguments, capsys)
    assert str(video) in error
    assert words in error


def test_collapse_of_the_memory_is_said(tiny_run, tmp_path, capsys):
    """A threshold above every weight leaves no slot to any query."""
    changes = dict(model__shrink_threshold=0.999, train__epochs=1)
    assert main.main(tiny_run.flags(tmp_path, **changes)) == 0
    assert "100% of the queries have no slot" in capsys.readouterr().err
    assert json.loads((tmp_path / "evaluation/metrics.json").read_text())["step"] == 3


def test_a_camera_for_videos(tiny_run, tmp_path, capsys):
    flags = [f"--workdir={tiny_run.workdir}", f"--input={tmp_path}", f"--output={tmp_path}"]
    error = error_of(["--mode=predict", "--camera=nyu", *flags], capsys)
    assert error == "error: --camera=nyu: memae needs no camera"


def test_unknown_checkpoint_to_evaluate(tiny_run, capsys):
    flags = [f"--workdir={tiny_run.workdir}", "--config.eval.checkpoint=first"]
    error = error_of(["--mode=evaluate", *flags], capsys)
    assert error == "error: eval.checkpoint='first' is unknown; use best or latest"


def test_as_many_epochs_as_a_run_that_never_validated(tiny_run, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(tiny_run.workdir / "config.json", other)
    error = error_of(tiny_run.flags(tmp_path / "run", train__epochs_of=other)[1:], capsys)
    assert f"train.epochs_of={other} holds no validated checkpoint" in error
