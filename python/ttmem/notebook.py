"""The `%%ttmem` cell magic of IPython and Jupyter; `%load_ext ttmem` loads it."""

from __future__ import annotations

from typing import Any

from ._profile import Profile


def register(shell: Any) -> None:
    """Adds the magic to a shell. `%load_ext ttmem` calls it."""
    shell.register_magic_function(lambda line, cell: _run_cell(shell, line, cell), "cell", "ttmem")


def _run_cell(shell: Any, line: str, cell: str) -> Profile | None:
    """Runs a cell and returns its profile, which the notebook shows. `%%ttmem FILE` writes a report too."""
    with Profile(line.strip() or None) as measured:
        result = shell.run_cell(cell)
    # The shell has printed the error of the cell.
    return measured if result.success else None
