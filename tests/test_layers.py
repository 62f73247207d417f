"""Imports go downwards: what stands below knows nothing of what stands above, lazy imports counted."""

import grimp
import pytest

LAYERS: tuple[frozenset[str], ...] = tuple(
    map(
        frozenset,
        (
            ("__main__",),
            ("cli",),
            ("carve", "plots", "display", "fleet"),
            ("comparing",),
            ("pipeline",),
            ("report",),
            ("comparison", "crosscheck", "live", "streaming"),
            ("key_tables",),
            ("logs",),
            ("findings", "selection"),
            ("diagnosis",),
            ("knowledge",),
            ("exchange",),
            ("capture",),
            ("ike",),
            ("output", "record", "units", "version"),
        ),
    )
)
"""From the top. Neighbours in one layer do not know each other."""

WINGS = ("outcome", "evidence", "causes")
"""Of diagnosis, from the bottom: where it stopped, what the wire shows, why."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("pcapdiag", exclude_type_checking_imports=False, cache_dir=None)


def test_every_module_has_its_layer(graph: grimp.ImportGraph) -> None:
    rooms = {name.split(".")[1] for name in graph.modules if "." in name}
    assert rooms == set().union(*LAYERS)


def test_no_import_goes_up(graph: grimp.ImportGraph) -> None:
    place = {room: number for number, layer in enumerate(LAYERS) for room in layer}
    upwards = []
    for importer in graph.modules - {"pcapdiag"}:
        own = importer.split(".")[1]
        for imported in graph.find_modules_directly_imported_by(importer) - {"pcapdiag"}:
            other = imported.split(".")[1]
            if own != other and place[own] >= place[other]:
                upwards.append(f"{importer} imports {imported}")
    assert sorted(upwards) == []


def test_nothing_imports_the_public_names(graph: grimp.ImportGraph) -> None:
    """They stand above all, and would close a circle."""
    assert sorted(graph.find_modules_that_directly_import("pcapdiag")) == []


def test_no_wing_of_diagnosis_knows_the_one_that_rests_on_it(graph: grimp.ImportGraph) -> None:
    upwards = []
    for number, wing in enumerate(WINGS):
        above = tuple(f"pcapdiag.diagnosis.{name}." for name in WINGS[number + 1 :])
        for module in graph.find_descendants(f"pcapdiag.diagnosis.{wing}"):
            found = graph.find_modules_directly_imported_by(module)
            upwards += [f"{module} imports {name}" for name in found if f"{name}.".startswith(above)]
    assert upwards == []


def test_no_two_modules_import_each_other(graph: grimp.ImportGraph) -> None:
    """Directly or by way of others: what imports itself in the end cannot be read, loaded or tested alone."""
    below = {module: graph.find_upstream_modules(module) for module in graph.modules}
    circles = {frozenset((m, *(n for n in below[m] if m in below[n]))) for m in below}
    assert sorted(sorted(circle) for circle in circles if len(circle) > 1) == []
