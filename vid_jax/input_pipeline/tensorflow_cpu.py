"""TensorFlow as a feeder of data: quiet, and without a hand on the GPUs, which JAX needs whole."""

import os
import sys

from absl import logging

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # silences a notice; no layer runs here

import tensorflow as tf
import tensorflow_datasets as tfds

tf.config.set_visible_devices([], "GPU")
if not sys.stderr.isatty():
    tfds.disable_progress_bar()
logging.get_absl_logger().addFilter(
    lambda record: record.levelname == "ERROR" or "tensorflow_datasets" not in record.pathname
)

__all__ = ["tf", "tfds"]
