"""Tables, JSON and flags that all figures share."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as all_figures
from benchmarks import results
from benchmarks.alternation import Side, Times
from benchmarks.comparison import rows

REPOSITORY = Path(__file__).parents[2]


def times(*wall):
    return Times(9.0, wall, wall)


def test_publish_prints_a_table_and_writes_all_rounds(tmp_path, capsys):
    row = {"work": "step", "seconds": 0.5, "peer": None, "seconds by round": [0.4, 0.5, 0.6]}
    results.publish("Figure", [row], tmp_path / "new" / "figure.json")
    printed = capsys.readouterr().out
    assert "work  seconds  peer\n" in printed
    assert "step    0.500   n/a\n" in printed
    assert "by round" not in printed
    written = json.loads((tmp_path / "new" / "figure.json").read_text())
    assert written["rows"] == [row]
    assert {"date", "cpu", "cores", "memory_gb", "versions"} <= written["environment"].keys()
    assert {"python", "jax", "jaxlib", "flax", "numpy"} <= written["environment"]["versions"].keys()


def test_rows_compare_with_ours_and_the_target_stands_at_the_fastest_peer():
    names = {"ours": 4e9, "slow": 4e9, "fast": 4e9, "limit": 16e9}
    sides = [Side(name, "", flops=flops) for name, flops in names.items()]
    measured = {
        "ours": times(2.0, 4.0, 2.0),
        "slow": times(6.0, 12.0, 6.0),
        "fast": times(3.0, 6.0, 3.0),
        "limit": times(1.0, 2.0, 1.0),
    }
    ours, slow, fast, limit = rows("work", sides, measured, ">= 1.0")
    assert [row["times ours"] for row in (ours, slow, fast, limit)] == [None, 3.0, 1.5, None]
    assert [row["target"] for row in (ours, slow, fast, limit)] == ["", "", ">= 1.0", ""]
    assert (ours["seconds"], ours["min"], ours["max"]) == (2.0, 2.0, 4.0)
    assert (ours["GFLOP/s"], limit["GFLOP/s"]) == (2.0, 16.0)
    assert (ours["of the limit"], limit["of the limit"]) == (0.125, 1.0)


def test_the_target_does_not_stand_at_a_peer_with_settings_of_ours():
    """A peer with huge pages may be faster than what its users see."""
    tuned = Side("tuned", "", environment={"A": "1"}, flops=1.0)
    sides = [Side("ours", "", flops=1.0), Side("peer", "", flops=1.0), tuned]
    measured = {"ours": times(2.0), "peer": times(2.0), "tuned": times(1.0), "limit": times(1.0)}
    shown = rows("work", [*sides, Side("limit", "", flops=1.0)], measured, ">= 1.0")
    assert [row["target"] for row in shown] == ["", ">= 1.0", "", ""]


def test_rows_without_peers_still_show_ours_and_the_limit():
    sides = [Side(name, "", flops=1e9) for name in ("ours", "peer", "limit")]
    ours, limit = rows("work", sides, {"ours": times(2.0), "limit": times(1.0)}, ">= 1.0")
    assert ours["of the limit"] == 0.5
    assert ours["target"] == limit["target"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scoring", "--frame_size", "20", "16"], "error: a window of 16x20x16: PyTorch's side"),
        (["train_step", "--rounds=0"], "argument --rounds: 0: must be a whole number from 1"),
    ],
)
def test_mistakes_get_one_line(arguments, message):
    figure, *flags = arguments
    command = [sys.executable, "-m", f"benchmarks.{figure}", *flags]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]


def test_all_figures_go_on_after_one_that_fails(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(all_figures, "FIGURES", ("no_such_figure", "nor_this"))
    monkeypatch.setattr(sys, "argv", ["benchmarks", f"--folder={tmp_path}"])
    assert all_figures.main() == 1
    assert "error: not measured: no_such_figure, nor_this" in capfd.readouterr().err


def test_every_figure_is_among_them():
    modules = {path.stem for path in Path(all_figures.__file__).parent.glob("*.py")}
    figures = {
        name
        for name in modules
        if "results.run(main)" in (REPOSITORY / "benchmarks" / f"{name}.py").read_text()
    }
    assert figures - {"shot_coverage"} == set(all_figures.FIGURES)  # it needs photographs
