"""Tests of the checks: `python -m unittest discover --start-directory dev/fidelity/tests --top-level-directory dev`."""
