"""What tests share: made-up projects, servers that stand in for the network, oracles, and this repository's root."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
