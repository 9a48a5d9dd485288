"""Makes means.json: the reference's input tensor of the default model's golden image, as means of 16 × 16 squares.

`python worker/tests/reference/make.py`, with numpy, Pillow and onnxruntime (dev/requirements.txt).
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SQUARE = 16

sys.path.insert(0, str(ROOT / "models"))
from kit import reference  # noqa: E402


def main() -> None:
    """Writes the means, channel by channel, row by row."""
    folder = ROOT / "models" / "efficientnet-lite0"
    spec = json.loads((folder / "model.json").read_text())["input"]
    tensor = reference.prepare((folder / "golden.jpg").read_bytes(), spec)[0]
    channels, height, width = tensor.shape
    squares = tensor.reshape(channels, height // SQUARE, SQUARE, width // SQUARE, SQUARE).mean(axis=(2, 4))
    numbers = [round(float(mean), 4) for mean in squares.ravel()]
    (Path(__file__).parent / "means.json").write_text(json.dumps(numbers) + "\n")


if __name__ == "__main__":
    main()
