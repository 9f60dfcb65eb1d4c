"""The harness: order, isolation, and peers that are not there."""

import os

import pytest

from benchmarks import alternation, memae, systems
from benchmarks.alternation import Side, Times, alternate, call, ratio, worker


def recording(path, name, **fields):
    return Side(name, "recording_sides:record", {"path": str(path), "name": name}, **fields)


@pytest.fixture
def traces(tmp_path):
    """The file that sides write to, and its lines as words."""
    path = tmp_path / "traces"
    return path, lambda: [line.split() for line in path.read_text().splitlines()]


def test_sides_alternate_after_a_first_call_and_a_warm_up(traces):
    path, lines = traces
    times = alternate([recording(path, "a"), recording(path, "b")], rounds=3, at_least=0)
    assert [name for name, *_ in lines()] == ["a", "b"] * 5
    assert [len(times[name].wall) for name in "ab"] == [3, 3]
    assert all(t.first > 0 and min(t.wall) > 0 for t in times.values())


def test_a_turn_may_begin_with_untimed_calls(traces):
    path, lines = traces
    alternate([recording(path, n) for n in "ab"], rounds=2, warm_up=0, at_least=0, settle=1)
    assert [name for name, *_ in lines()] == ["a", "b"] + ["a", "a", "b", "b"] * 2


def test_short_work_is_repeated_within_a_turn(traces):
    path, lines = traces
    times = alternate([recording(path, "a")], rounds=1, warm_up=0, at_least=0.05)
    calls = len(lines()) - 1
    assert calls > 1
    assert times["a"].median >= 0.05 / calls


def test_each_side_has_its_own_process_and_variables(traces):
    path, lines = traces
    alternate(
        [recording(path, "a", environment={"MARK": "1"}), recording(path, "b")], 1, at_least=0
    )
    processes = {name: set() for name in "ab"}
    for name, process, mark in lines():
        processes[name].add(process)
        assert mark == {"a": "1", "b": "-"}[name]
    assert len(processes["a"]) == len(processes["b"]) == 1
    assert len({str(os.getpid())} | processes["a"] | processes["b"]) == 3


def test_a_side_without_its_package_is_left_out(traces, capfd):
    path, _ = traces
    sides = [recording(path, "ours"), recording(path, "peer", requires="no_such_package")]
    assert list(alternate(sides, 1, at_least=0)) == ["ours"]
    assert capfd.readouterr().err == (
        "peer is left out: no_such_package is not installed; pip install -r requirements-bench.txt\n"
    )


def test_what_a_side_raises_reaches_the_caller():
    with pytest.raises(ValueError, match="this side is broken"):
        alternate([Side("broken", "recording_sides:fail")], 1)


def test_ratio_is_taken_within_rounds():
    """A machine that slows down in one round for both sides does not change it."""
    slow = Times(0.0, (2.0, 20.0, 2.0), (0.0,) * 3)
    fast = Times(0.0, (1.0, 10.0, 1.0), (0.0,) * 3)
    assert ratio(slow, fast) == 2
    assert slow.median == 2


def test_our_sides_do_without_tensorflow():
    config = memae.make_config("cpu", {"data.num_frames": 8, "data.frame_size": (16, 16)})
    side = systems.our_scoring(memae, config)
    with worker({}) as executor:
        executor.submit(alternation._build, side).result()
        packages = {
            name: executor.submit(call, "recording_sides:is_imported", {"package": name}).result()
            for name in ("jax", "tensorflow", "torch")
        }
    assert packages == {"jax": True, "tensorflow": False, "torch": False}
