"""What addresses are called: a CSV file, or one of YAML, that the user keeps."""

import csv
from pathlib import Path

import yaml

from pcapdiag.fleet.places import FleetError


def names_of(path: str) -> dict[str, str]:
    """The names by address: of CSV the first two columns, of YAML a mapping. Raises FleetError for anything else."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if path.lower().endswith((".yaml", ".yml")):
        return _of_yaml(path, text)
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if any(len(row) < 2 for row in rows):
        raise FleetError(f"{path}: each line has an address and a name, with a comma between")
    return {row[0].strip(): row[1].strip() for row in rows}


def _of_yaml(path: str, text: str) -> dict[str, str]:
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise FleetError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not all(isinstance(name, str | int | float) for name in found.values()):
        raise FleetError(f"{path}: is no mapping of addresses to names")
    return {str(address): str(name) for address, name in found.items()}
