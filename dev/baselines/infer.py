#!/usr/bin/env python3
"""The other side of `cargo xtask bench infer`: onnxruntime and Pillow, each on one thread.

First says what it can measure, then answers each line of its input with one of JSON: `time NAME RUNS` with milliseconds of
each run, `answer NAME` with the network's output for each photo.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))
from kit.reference import prepare  # noqa: E402


class Side:
    def __init__(self, model: Path, photos: Path):
        manifest = json.loads((model / "model.json").read_text())
        self.spec = manifest["input"]
        self.photos = [photo.read_bytes() for photo in sorted(photos.glob("*.jpg"))]
        self.tensors = [self.prepare(run) for run in range(len(self.photos))]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model / manifest["onnx"]["file"], options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def prepare(self, run: int):
        return prepare(self.photos[run % len(self.photos)], self.spec)

    def infer(self, run: int):
        return self.session.run(None, {self.input: self.tensors[run % len(self.tensors)]})[0]

    def obey(self, words: list[str]):
        match words:
            case ["time", name, runs]:
                return [milliseconds(WORK[name], self, run) for run in range(int(runs))]
            case ["answer", "onnxruntime"]:
                return [self.infer(run).ravel().tolist() for run in range(len(self.tensors))]
            case _:
                raise ValueError(f"{words} is neither `time NAME RUNS` nor `answer NAME`")


WORK = {"prepare": Side.prepare, "onnxruntime": Side.infer}


def milliseconds(work, *arguments) -> float:
    begin = time.perf_counter()
    work(*arguments)
    return (time.perf_counter() - begin) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the model folder")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos")
    side = Side(**vars(parser.parse_args()))
    print(json.dumps(list(WORK)), flush=True)
    for line in sys.stdin:
        print(json.dumps(side.obey(line.split())), flush=True)


if __name__ == "__main__":
    main()
