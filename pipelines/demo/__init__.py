"""The seeded world of `tollbook demo`: a books folder with planted faults, and what the books must find in it.

Standard library only, no clock, no float: the same seed and rows give the same bytes (of the `.gz` files: the same
content; the container follows the zlib of the machine).
"""

from __future__ import annotations

from pipelines.demo.folder import is_demo_folder
from pipelines.demo.kinds import PlantedKind, planted
from pipelines.demo.plan import Plan
from pipelines.demo.world import write_world

__all__ = ["Plan", "PlantedKind", "is_demo_folder", "planted", "write_world"]
