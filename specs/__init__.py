"""The zoo: one YAML per published model, and in layouts/ the key maps between their dialects. Data."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """The names of the zoo's specs."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def path(name: str) -> Path:
    """The file of the zoo spec `name`."""
    return FOLDER / f"{name}.yaml"


def layout_names() -> list[str]:
    """The names of the layouts."""
    return sorted(file.stem for file in (FOLDER / "layouts").glob("[!_]*.yaml"))


def layout_path(name: str) -> Path:
    """The file of the layout `name`."""
    return FOLDER / "layouts" / f"{name}.yaml"
