"""How a model folder is made from its recipe: a folder with model.json, what is committed beside it, and a script that makes the rest."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import folder
from .folder import expect, sha256


@dataclass
class Recipe:
    """One model."""

    here: Path
    """The folder of the recipe."""
    about: str
    """What the script says about itself."""
    make: Callable[[], dict[str, bytes]]
    """Makes files from packages; everybody gets the same bytes."""
    renew: Callable[[dict, dict[str, bytes]], dict[str, bytes]] = lambda manifest, made: {}
    """For maintainers: further files to be committed beside the manifest, from that and what was made."""

    def main(self):
        parser = argparse.ArgumentParser(description=self.about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--out", type=Path, required=True, help="the model folder to make")
        parser.add_argument("--renew", action="store_true", help="for maintainers: write the committed files and all hashes anew")
        arguments = parser.parse_args()
        if not arguments.renew and folder.is_right(arguments.out, self.manifest_bytes()):
            print(f"{arguments.out} is already right: {self.name()}")
            return
        made = self.make()
        if arguments.renew:
            self.write_committed(made)
        manifest = json.loads(self.manifest_bytes())
        contents = {file["file"]: self.content(file["file"], made) for file in folder.files(manifest)}
        check_golden(manifest, contents)
        folder.write(arguments.out, self.manifest_bytes(), contents)
        print(f"{arguments.out} holds {self.name()}")

    def manifest_bytes(self):
        return (self.here / "model.json").read_bytes()

    def name(self):
        manifest = json.loads(self.manifest_bytes())
        return f"{manifest['name']} {manifest['version']}"

    def content(self, name, made):
        return made[name] if name in made else (self.here / name).read_bytes()

    def write_committed(self, made):
        """Golden output, what else is committed, and all hashes."""
        from . import reference

        manifest = json.loads(self.manifest_bytes())
        golden = manifest["golden"]
        image = (self.here / golden["image"]["file"]).read_bytes()
        output = reference.answer(made[manifest["onnx"]["file"]], image, manifest["input"])
        committed = {golden["output"]["file"]: folder.numbers(output).encode(), **self.renew(manifest, made)}
        for name, content in committed.items():
            (self.here / name).write_bytes(content)
        for file in folder.files(manifest):
            file["sha256"] = sha256(self.content(file["file"], made))
        (self.here / "model.json").write_text(folder.manifest_text(manifest))


def check_golden(manifest: dict, contents: dict[str, bytes]):
    """Refuses a model that does not answer the golden image as recorded."""
    import numpy as np

    from . import reference

    golden = manifest["golden"]
    output = reference.answer(contents[manifest["onnx"]["file"]], contents[golden["image"]["file"]], manifest["input"])
    difference = float(np.abs(output - np.float32(json.loads(contents[golden["output"]["file"]]))).max())
    print(f"golden output: {difference:.1e} off in onnxruntime, {golden['tolerance']} is tolerated")
    expect(difference <= golden["tolerance"], "the model does not answer as recorded")
