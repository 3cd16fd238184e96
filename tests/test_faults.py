"""The page of faults says what the tests say."""

from faults import declared, rows


def test_every_fault_has_its_row_and_every_row_its_test():
    told = {name: tuple(cells) for name, cells in rows().items()}
    assert {name: (cells[0], cells[1], cells[3]) for name, cells in told.items()} == {
        name: (row.name, row.promised, f"`{row.test}`") for name, row in declared().items()
    }, "write it again: pytest --write-faults"
    assert all(cells[2] for cells in told.values())
