"""Tests of the installed package. With real ttnn:

    testbed/run --mock n150 --private-shm --python ENV/bin/python -- -m pytest python/tests

Tests that need ttnn are skipped where it cannot be imported.
"""

import importlib.util

import pytest

pytest_plugins = ["pytester"]

HAS_TTNN = importlib.util.find_spec("ttnn") is not None
needs_ttnn = pytest.mark.skipif(not HAS_TTNN, reason="ttnn is not installed in this environment")
