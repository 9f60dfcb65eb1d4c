"""Figures of a training's log."""

import io

from vid_jax.learning_curves import learning_curves


def row(epoch, **metrics):
    known = {name.replace("__", "/"): str(value) for name, value in metrics.items()}
    return {"epoch": str(epoch), "step": str(10 * epoch), **known}


def test_training_and_validation_share_a_panel_of_each_metric_that_both_have():
    log = [
        row(1, train__loss=3.0, val__loss=4.0, train__top1=0.1, val__top1=0.2, train__norm=9),
        row(2, train__loss=2.0, val__loss=3.5, train__top1=0.3, val__top1="", train__norm=8),
    ]
    figure = learning_curves(log, "top1", step=20)
    top1, loss, *_ = figure.axes
    assert [axes.get_title(loc="left") for axes in (top1, loss)] == ["top1", "loss"]
    drawn = {line.get_label(): line.get_xydata().tolist() for line in loss.get_lines()}
    assert drawn["training"] == [[1, 3], [2, 2]]
    assert drawn["validation"] == [[1, 4], [2, 3.5]]
    assert [x for x, _ in drawn["evaluated"]] == [2, 2]
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue()


def test_one_epoch_or_none_is_no_curve():
    assert learning_curves([], "loss", 0) is None
    assert learning_curves([row(1, train__loss=3.0, val__loss=4.0)], "loss", 10) is None
