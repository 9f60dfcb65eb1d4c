"""The refinement of a hand's centre: how far the reference joint lies from the centre that a crop was made about."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vid_jax import losses
from vid_jax.errors import UserError
from vid_jax.input_pipeline.hand_augmentation import Hands, normalised_depth
from vid_jax.models.com_refinement import ComRefinement
from vid_jax.report import Report
from vid_jax.tasks._hand_crops import CropSettings, check_crop_size, draw_points, hands_of
from vid_jax.tasks.base import Batch, Metrics, ModelState, Summaries, masked

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def make(config: ConfigDict) -> "ComRefinementTask":
    """Builds the task from the `model` and `data` groups of a config."""
    settings = CropSettings.of(config)
    network = ComRefinement(config.model.drop_rate)
    check_crop_size(network, settings.crop_size)
    return ComRefinementTask(network, settings)


@dataclasses.dataclass(frozen=True)
class ComRefinementTask:
    """Loss: squared distance of the offset, in half cubes, from the reference joint's."""

    network: ComRefinement
    settings: CropSettings
    monitor: tuple[str, str] = ("error_mm", "min")
    predicted: tuple[str, ...] | None = None

    def prepare(self, dataset) -> ModelState:
        """Nothing is fitted on the data."""
        return {}

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Crops in mm, what they were cropped by, and joints in mm."""
        return self.settings.batch_spec(batch_size)

    def init(self, key: jax.Array, batch: Batch) -> tuple[dict, ModelState]:
        """Initialises parameters for the batch's shape."""
        variables = self.network.init(key, normalised_depth(hands_of(batch)), train=False)
        return variables.pop("params"), variables

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """Mean over the batch of crops augmented by their own draws, with dropout."""
        hands = self.settings.augmented(batch)
        offset = self.network.apply(
            {"params": params}, normalised_depth(hands), train=True, rngs={"dropout": key}
        )
        loss, metrics = self._losses(offset, hands, jnp.ones(len(offset)))
        return jnp.mean(loss), (model_state, metrics)

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Losses, and for each crop `com` (3,), the refined centre in mm."""
        hands = hands_of(batch)
        offset = self._predict(params, hands)
        _, metrics = self._losses(offset, hands, batch["mask"])
        return metrics, {"com": _moved(hands, offset)}

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Distances of the centre from the reference joint on the test split, before and after."""
        from vid_jax.tasks import _hand_pose_report

        return _hand_pose_report.evaluate_centers(outputs, dataset, self.settings.center)

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """Nothing: centres need no scale of their own."""
        return {}

    def inputs(self, source: Path) -> dict[str, Path]:
        """There are none: it serves pose networks."""
        raise UserError(
            "com_refinement predicts no pose; train one with --config.model.com_refinement=True and "
            "--config.init_from.com_refinement=WORKDIR"
        )

    def browse(self, dataset) -> dict[str, "Figure"]:
        """Crops, and the same augmented, with their joints."""
        from vid_jax.tasks import _hand_pose_report

        return _hand_pose_report.browse(dataset, self.settings)

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """Crops with the refined and the true centre; how far the offsets reach."""
        hands = jax.tree.map(lambda x: x[:4], hands_of(batch))
        offset = self._predict(params, hands)
        centers = jnp.stack([self._reference(hands), _moved(hands, offset)], 1)
        return {
            "images": {
                "crops/refined_green_truth_red": draw_points(hands, centers, self.settings.camera)
            },
            "histograms": {"offset": offset},
        }

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """Nothing to warn of."""
        return []

    def _predict(self, params, hands: Hands) -> Float[Array, "batch 3"]:
        return self.network.apply({"params": params}, normalised_depth(hands), train=False)

    def _reference(self, hands: Hands) -> Float[Array, "batch 3"]:
        return hands.joints[:, self.settings.skeleton.reference]

    def _losses(self, offset, hands: Hands, mask: Float[Array, " batch"]):
        wanted = self._reference(hands)
        loss = losses.l2(offset, (wanted - hands.com) / (hands.cube[:, None] / 2))
        error = jnp.linalg.norm(_moved(hands, offset) - wanted, axis=-1)
        return loss, {"loss": masked(loss, mask), "error_mm": masked(error, mask)}


def _moved(hands: Hands, offset: Float[Array, "batch 3"]) -> Float[Array, "batch 3"]:
    return hands.com + offset * hands.cube[:, None] / 2
