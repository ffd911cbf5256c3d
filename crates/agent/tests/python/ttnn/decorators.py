"""Ops as objects, called as ttnn calls its own."""

import dataclasses
from typing import Callable


@dataclasses.dataclass
class FastOperation:
    python_fully_qualified_name: str
    function: Callable

    def __call__(self, *arguments):
        return self.function(*arguments)
