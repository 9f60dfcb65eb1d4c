"""UCSD Ped1 and Ped2 as a TensorFlow data set."""

import tempfile
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from vid_jax.input_pipeline import downloads, records
from vid_jax.input_pipeline.datasets import ucsd_files
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.frame_files import BadFrames


class UcsdPed(SourceBuilder):
    """Frames, frame labels and pixel masks of UCSD Ped1 ("ped1") or Ped2 ("ped2").

    Args:
        source: the published archive, or a folder that holds what is in it; None downloads it.
    """

    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name="ped1", description="34 training and 36 test clips, 158x238"),
        tfds.core.BuilderConfig(name="ped2", description="16 training and 12 test clips, 240x360"),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Pedestrians on a walkway; in test clips also cyclists, skaters, carts.",
            features=records.frame_features(),
            homepage=ucsd_files.HOMEPAGE,
            citation=(
                "V. Mahadevan, W. Li, V. Bhalodia, N. Vasconcelos. "
                "Anomaly Detection in Crowded Scenes. CVPR 2010."
            ),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="frames"),
        )

    def download_and_prepare(self, **kwargs) -> None:
        folder = Path(self.data_dir).parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="incomplete.", dir=folder) as self._unpacked:
            super().download_and_prepare(**kwargs)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        ped = self.builder_config.name
        source = self.source or downloads.fetch(
            dl_manager,
            ucsd_files.ARCHIVE_URL,
            ucsd_files.ARCHIVE_SHA256,
            f"get {ucsd_files.ARCHIVE} from {ucsd_files.HOMEPAGE} (cite Mahadevan et al., CVPR "
            "2010) and name it or its unpacked folder: --config.data.source=FOLDER",
        )
        if source.is_file():
            root = ucsd_files.extract(source, ped, Path(self._unpacked))
        else:
            root = ucsd_files.find_root(source, ped)
        bad_frames = BadFrames(self.bad_frames)
        return {
            "train": self._generate_examples(ucsd_files.read_training, root, bad_frames),
            "test": self._generate_examples(ucsd_files.read_test, root, bad_frames),
        }

    def _generate_examples(self, read, root: Path, bad_frames: BadFrames):
        yield from enumerate(read(root, self.builder_config.name, bad_frames))
        self.info.metadata["left_out"] = bad_frames.count
