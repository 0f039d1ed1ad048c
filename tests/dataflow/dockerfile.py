"""What the Dockerfile says, as far as the tests need it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path


def instructions(folder: Path, keyword: str) -> list[str]:
    """The arguments of each instruction of a kind, in order, long ones in one line."""
    text = re.sub(r"\\\n\s*", "", (folder / "Dockerfile").read_text(encoding="utf-8"))
    return re.findall(rf"^{keyword} (.*)$", text, re.MULTILINE)


def sources(folder: Path) -> list[str]:
    """What is copied into the image from the build's own folder."""
    lines = [line.split() for line in instructions(folder, "COPY")]
    return [name for line in lines if not line[0].startswith("--from=") for name in line[:-1]]


def copied(folder: Path, into: Path) -> None:
    """Copies what the Dockerfile copies into the image's folder, and the Dockerfile."""
    for name in ["Dockerfile", *sources(folder)]:
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (folder / name).is_dir():
            shutil.copytree(folder / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(folder / name, target)
