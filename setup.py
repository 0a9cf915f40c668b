"""Which packages the wheel has; everything else about it stands in pyproject.toml.

The manifests stay at the top of the repository, where people look for them, and are `open_ml_embed/manifests/` in the
wheel: `packages.find` has no word for that.
"""

from setuptools import find_namespace_packages, setup

OWN = ("open_ml_embed", "sources", "curation", "train")
MANIFESTS = find_namespace_packages(include=["manifests", "manifests.*"])

setup(
    packages=[
        *find_namespace_packages(include=[pattern for name in OWN for pattern in (name, f"{name}.*")]),
        *(f"open_ml_embed.{name}" for name in MANIFESTS),
    ],
    package_dir={"open_ml_embed.manifests": "manifests"},
)
