"""What is found out about reconstructions of held-out images, and what the autoencoder is fed, as figures."""

from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np
from matplotlib.figure import Figure

from vid_jax import keyclip_figures, thumbnails
from vid_jax.report import Report, Table, comparison_table

_MODEL = "autoencoder"
_SHOWN = 6  # images on a sheet
_BROWSED = 20
_PREFIX = "measure/"

Outputs = dict[str, np.ndarray]


def evaluate(
    outputs: Iterable[Outputs], dataset, measures: Mapping[str, Callable], loss_name: str
) -> Report:
    """Losses of the reconstructions beside those of bicubic thumbnails of as many values as the bottleneck.

    Args:
        outputs: of `eval_step` over the held-out images in order: `index` (b,), `embedding` (b, d), `reconstruction`
            (b, h, w, 3) uint8, and `measure/NAME` (b,) of each measure.
        dataset: the images.
        measures: by name, functions of images and reconstructions in [-1, 1].
        loss_name: of the training loss.
    """
    compare = jax.jit(lambda x, y: {name: of(x, y) for name, of in measures.items()})
    found: dict[str, list[dict]] = {}
    shown = _Shown(dataset.info.num_examples["test"])
    rows = []
    for output in outputs:
        images = dataset.images(output["index"])
        values = output["embedding"].shape[1]
        found.setdefault(_MODEL, []).append({name: output[_PREFIX + name] for name in measures})
        sizes = thumbnails.sizes(values, *images.shape[1:3])
        for size in sizes:
            x = images.astype(np.float32) / 127.5 - 1
            measured = compare(x, thumbnails.through_thumbnail(x, size))
            found.setdefault(_thumbnail_name(size), []).append(jax.device_get(measured))
        rows.append(output["index"])
        shown.add(output)
    found = {
        method: {name: np.concatenate([part[name] for part in parts]) for name in measures}
        for method, parts in found.items()
    }
    means = {m: {k: float(v.mean()) for k, v in of.items()} for m, of in found.items()}
    for of in means.values():
        of["psnr_db"] = float(-10 * np.log10(max(of["l2"], 1e-12)))
    scalars = dict(means[_MODEL]) | {"bottleneck_values": values}
    columns = {
        "loss": f"training loss ({loss_name})",
        "ms_ssim_l1_0.84": "MS-SSIM-L1, alpha 0.84",
        "ms_ssim_l1_0.025": "alpha 0.025",
        "l1": "L1 of [0, 1]",
        "psnr_db": "PSNR, dB",
        "ms_ssim": "MS-SSIM by sigmas",
        "classic_ms_ssim": "MS-SSIM by scales",
    }
    baselines = {name: of for name, of in means.items() if name != _MODEL}
    for name, of in baselines.items():
        key = name.rpartition(" ")[2]
        scalars |= {f"baseline/thumbnail_{key}/{k}": v for k, v in of.items()}
    better = {}
    for name in ("loss", "ms_ssim_l1_0.84", "ms_ssim_l1_0.025", "l1"):
        best = min(of[name] for of in baselines.values())
        better[name] = 100 * (1 - means[_MODEL][name] / best)
        scalars[f"percent_better_than_thumbnail/{name}"] = better[name]
    gain = Table(
        ["percent better than the best thumbnail", *(columns[name] for name in better)],
        [[_MODEL, *better.values()]],
    )
    rows = np.concatenate(rows)
    names = [dataset.image_name(row) for row in rows]
    header = ["image", *measures]
    per_image = [found[_MODEL][name].tolist() for name in measures]
    return Report(
        scalars,
        {
            f"Reconstruction of held-out images, {values:,} values each": comparison_table(
                means, columns
            ),
            "Gain": gain,
        },
        shown.sheets(dataset, min(sizes, key=lambda size: means[_thumbnail_name(size)]["loss"])),
        {"Images": Table(header, [list(row) for row in zip(names, *per_image, strict=True)])},
    )


def browse(dataset) -> dict[str, Figure]:
    """Images of the training and the test split."""
    figures = {}
    for split in ("train", "test"):
        rows = dataset.rows(split)
        rows = rows[np.linspace(0, len(rows) - 1, min(_BROWSED, len(rows))).astype(int)]
        names = [dataset.image_name(row) for row in rows]
        title = f"{dataset.info.name}: {split}, {dataset.info.num_examples[split]:,} images"
        figures[split] = keyclip_figures.image_sheet(dataset.images(rows), names, title)
    return figures


def _thumbnail_name(size: tuple[int, int]) -> str:
    return f"bicubic thumbnail {size[0]}x{size[1]}"


class _Shown:
    """The reconstructions that are shown: of the smallest and the largest losses, and evenly spaced ones.

    Args:
        count: images that there will be.
    """

    def __init__(self, count: int):
        self._spaced = np.linspace(0, count - 1, min(_SHOWN, count)).astype(int)
        self._seen = 0
        self._kept: dict[str, Outputs] = {}

    def add(self, output: Outputs) -> None:
        """Keeps what is to be shown of the next batch."""
        names = ("index", "reconstruction", f"{_PREFIX}loss")
        new = {name: output[name] for name in names}
        places = self._spaced - self._seen
        chosen = places[(places >= 0) & (places < len(new["index"]))]
        self._seen += len(new["index"])
        self._keep("Evenly spaced", new, lambda loss: np.arange(len(loss)), chosen)
        self._keep("Smallest losses", new, lambda loss: np.argsort(loss)[:_SHOWN])
        self._keep("Largest losses", new, lambda loss: np.argsort(-loss)[:_SHOWN])

    def _keep(self, sheet: str, new: Outputs, choose: Callable, chosen=slice(None)) -> None:
        new = {name: values[chosen] for name, values in new.items()}
        if sheet in self._kept:
            new = {name: np.concatenate([self._kept[sheet][name], new[name]]) for name in new}
        best = choose(new[f"{_PREFIX}loss"])
        self._kept[sheet] = {name: values[best] for name, values in new.items()}

    def sheets(self, dataset, size: tuple[int, int]) -> dict[str, Figure]:
        """Originals, reconstructions and thumbnails of this size."""
        figures = {}
        for sheet, kept in self._kept.items():
            images = dataset.images(kept["index"])
            small = thumbnails.through_thumbnail(images.astype(np.float32), size)
            rows = {
                "original": images,
                _MODEL: kept["reconstruction"],
                f"thumbnail\n{size[0]}x{size[1]}": np.uint8(np.rint(small)),
            }
            names = map(dataset.image_name, kept["index"])
            captions = [f"{n}\n{loss:.4f}" for n, loss in zip(names, kept[f"{_PREFIX}loss"])]
            figures[sheet] = keyclip_figures.reconstruction_sheet(rows, captions, sheet)
        return figures
