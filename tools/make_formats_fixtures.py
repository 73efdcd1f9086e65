#!/usr/bin/env python3
"""Writes tests/fixtures/formats/: files as the Python packages of each format write them.

Needs numpy, safetensors and tensorboard. The test programs only read the result.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "formats"


def write_safetensors():
    """Every element type that Inkstone knows and numpy has, a scalar, an empty tensor, odd names."""
    tensors = {
        "f32": np.array([[0.0, -1.5], [3.4028235e38, 1e-45], [np.inf, 2.0]], dtype=np.float32),
        "f16": np.array([1.0, -2.0, 65504.0, 5.9604645e-08, np.inf], dtype=np.float16),
        "f64": np.array([0.1, 1e300, -0.25], dtype=np.float64),
        "i32": np.array([-1, 2**31 - 1], dtype=np.int32),
        "i64": np.array([-(2**63)], dtype=np.int64),
        "u16": np.array([65535], dtype=np.uint16),
        "u8": np.array([1, 2, 255], dtype=np.uint8),
        "i8": np.array([-128], dtype=np.int8),
        "bool": np.array([True, False, True]),
        "scalar": np.array(7.0, dtype=np.float32),
        "empty": np.zeros((0, 3), dtype=np.float32),
        'name "quoted" \\ 名前': np.array([1.0], dtype=np.float32),
    }
    save_file(tensors, FOLDER / "python.safetensors", metadata={"format": "pt", "note": "é\n"})


def write_npy():
    np.save(FOLDER / "matrix.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
    np.save(FOLDER / "vector.npy", np.array([0.5, -1.0], dtype=np.float32))
    np.save(FOLDER / "scalar.npy", np.array(2.5, dtype=np.float32))


def event(wall_time, **what):
    return event_pb2.Event(wall_time=wall_time, **what).SerializeToString()


def write_events():
    """What tests/formats/tensorboard_test.cc writes, frame by frame."""
    scalar = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag="loss", simple_value=2.5)])
    text_data = summary_pb2.SummaryMetadata.PluginData(plugin_name="text")
    text = summary_pb2.Summary(value=[summary_pb2.Summary.Value(
        tag="sample",
        metadata=summary_pb2.SummaryMetadata(
            plugin_data=text_data, data_class=summary_pb2.DATA_CLASS_TENSOR),
        tensor=tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING, tensor_shape={}, string_val=["To be 墨".encode()]))])
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    with open(FOLDER / "events.bin", "wb") as file:
        writer = RecordWriter(file)
        writer.write(event(1000.5, step=3, summary=scalar))
        writer.write(event(1001.0, step=4, summary=text))
        writer.write(event(1002.0, step=4, session_log=start))


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_safetensors()
    write_npy()
    write_events()
