"""models/add.py and models/faces.py, with the worker's small test model and networks that a worker could not run."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

MODELS = Path(__file__).resolve().parents[1]
COLOURS = MODELS.parent / "worker/tests/colours"
sys.path.insert(0, str(MODELS))

from kit import folder, reference


def run(script, *arguments):
    """The exit code and all that was said."""
    done = subprocess.run([sys.executable, "-B", MODELS / script, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def network(inputs=(1, 3, 8, 8), outputs=1, dtype=TensorProto.FLOAT):
    """A network of one node, as bytes."""
    nodes = [helper.make_node("Identity", ["image"], [f"out{index}"]) for index in range(outputs)]
    value = lambda name: helper.make_tensor_value_info(name, dtype, inputs)
    graph = helper.make_graph(nodes, "network", [value("image")], [value(f"out{index}") for index in range(outputs)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


class Add(unittest.TestCase):
    def setUp(self):
        folder_ = tempfile.TemporaryDirectory()
        self.addCleanup(folder_.cleanup)
        self.out = Path(folder_.name) / "model"
        self.onnx = Path(folder_.name) / "network.onnx"

    def add(self, onnx_file, *arguments, kind="logits", labels=COLOURS / "labels.txt"):
        self.onnx.write_bytes(onnx_file)
        fixed = ["--name", "colours", "--licence", "Apache-2.0", "--image", COLOURS / "golden.png"]
        return run("add.py", self.onnx, "--out", self.out, *fixed, "--kind", kind, "--labels", labels, *arguments)

    def test_what_it_writes_is_the_model_that_was_written_by_hand(self):
        code, said = self.add((COLOURS / "colours.onnx").read_bytes(), "--std", "1", "--unit", "--top-k", "2")
        self.assertEqual(code, 0, said)
        made, known = (json.loads((path / "model.json").read_text()) for path in (self.out, COLOURS))
        for field in ("input", "name", "version", "onnx"):
            self.assertEqual(made[field], known[field])
        self.assertEqual(made["output"], known["output"])
        self.assertEqual(json.loads((self.out / "golden.json").read_text()), json.loads((COLOURS / "golden.json").read_text()))
        self.assertTrue(folder.is_right(self.out, (self.out / "model.json").read_bytes()))
        self.assertIn("red (7.84)", said)

    def test_what_a_worker_could_not_run_is_refused_with_a_sentence(self):
        labels = self.onnx.with_name("labels.txt")
        labels.write_text("one\n")
        colours = (COLOURS / "colours.onnx").read_bytes()
        cases = [
            (b"nonsense", {}, "this is no ONNX file"),
            (network(outputs=2), {}, "outputs ['out0', 'out1']; one is needed"),
            (network(dtype=TensorProto.DOUBLE), {}, "is of type DOUBLE; FLOAT is needed"),
            (network((1, 3, 8)), {}, "has 3 dimensions; 4 are needed"),
            (network((4, 3, 8, 8)), {}, "takes batches of 4"),
            (network((1, 1, 8, 8)), {}, "must be 3, the channels"),
            (network((1, 3, "height", "width")), {}, "say with --size"),
            (colours, {"labels": labels}, "has 1 labels, the network tells 3 classes apart"),
            (colours, {"kind": "probabilities"}, "no probabilities; say --kind logits"),
            (colours, {"kind": "embedding"}, "--threshold is missing"),
            (outside(), {}, "lie in another file"),
        ]
        for onnx_file, arguments, sentence in cases:
            code, said = self.add(onnx_file, **arguments)
            self.assertEqual((code, sentence in said, self.out.exists()), (1, True, False), f"{sentence}: {said}")


def outside():
    """A network whose weights lie in another file."""
    weight = numpy_helper.from_array(np.zeros((1, 3, 8, 8), np.float32), "weight")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")
    model = onnx.load_model_from_string(network())
    model.graph.initializer.append(weight)
    return model.SerializeToString()


class Faces(unittest.TestCase):
    def test_eyes_come_to_lie_where_the_model_wants_them(self):
        with tempfile.TemporaryDirectory() as at:
            photo, face = Path(at) / "photo.png", Path(at) / "people/Ada/1.png"
            # A head that is held aslant: one eye red, the other blue.
            pixels = np.zeros((400, 400, 3), np.uint8)
            pixels[90:111, 290:311], pixels[290:311, 90:111] = (0, 0, 255), (255, 0, 0)
            Image.fromarray(pixels).save(photo)
            code, said = run("faces.py", "align", photo, "--eyes", "100,300,300,100", "--out", face)
            self.assertEqual(code, 0, said)
            aligned = Image.open(face)
            self.assertEqual((aligned.size, aligned.getpixel((48, 47)), aligned.getpixel((102, 47))), ((150, 150), (255, 0, 0), (0, 0, 255)))

    def test_a_gallery_is_made_of_folders_of_faces(self):
        with tempfile.TemporaryDirectory() as at:
            model, people = Path(at) / "model", Path(at) / "people"
            said = embedding_model(model)
            for name, colour in (("Rose", (200, 0, 0)), ("Sky", (0, 0, 200))):
                (people / name).mkdir(parents=True)
                Image.new("RGB", (8, 8), colour).save(people / name / "1.png")
            code, said = run("faces.py", "enrol", "--model", model, "--people", people)
            self.assertEqual(code, 0, said)
            manifest = (model / "model.json").read_bytes()
            self.assertTrue(folder.is_right(model, manifest))
            self.assertRegex(json.loads(manifest)["version"], r"^1\+[0-9a-f]{8}$")
            gallery = json.loads((model / "gallery.json").read_text())
            self.assertEqual([entry["name"] for entry in gallery], ["Rose", "Sky"])
            np.testing.assert_allclose(gallery[0]["vectors"], [[200 / 25.5, 0, 0]], rtol=1e-5)


def embedding_model(out):
    """The colours model, taken for one of vectors."""
    arguments = ["--name", "colours", "--licence", "x", "--image", COLOURS / "golden.png", "--unit", "--kind", "embedding", "--threshold", "4"]
    code, said = run("add.py", COLOURS / "colours.onnx", "--out", out, *arguments)
    assert code == 0, said
    return said


class Reference(unittest.TestCase):
    def test_each_fit_shows_what_it_says(self):
        flag = np.zeros((30, 90, 3), np.uint8)
        flag[:, :30], flag[:, 30:60], flag[:, 60:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
        with tempfile.TemporaryDirectory() as at:
            Image.fromarray(flag).save(Path(at) / "flag.png")
            image = (Path(at) / "flag.png").read_bytes()
        shown = lambda resize: reference.prepare(image, SPEC | {"resize": resize | {"filter": "bilinear"}})[0]
        self.assertTrue((shown({"fit": "cover", "shorterSide": 9})[:, 1:8] == [0, 255, 0]).all())
        self.assertEqual(shown({"fit": "stretch", "width": 9, "height": 9})[4, [0, 4, 8]].tolist(), [[255, 0, 0], [0, 255, 0], [0, 0, 255]])
        padded = shown({"fit": "pad", "colour": [1, 2, 3]})
        self.assertEqual(padded[[0, 2, 6, 8], 4].tolist(), [[1, 2, 3]] * 4)
        self.assertEqual(padded[[3, 5], 4].tolist(), [[0, 255, 0]] * 2)


SPEC = {"width": 9, "height": 9, "layout": "NHWC", "channels": "RGB", "mean": [0, 0, 0], "std": [1, 1, 1]}

if __name__ == "__main__":
    unittest.main()
