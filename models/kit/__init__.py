"""What the recipes of the model folders share: getting packages, writing folders, and what a model must answer."""
