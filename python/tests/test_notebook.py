"""The cell magic, in an IPython shell without a terminal."""

import subprocess
import sys
import textwrap

import pytest
from conftest import needs_ttnn


@needs_ttnn
def test_a_cell_returns_what_the_notebook_shows(tmp_path):
    pytest.importorskip("IPython")
    report = tmp_path / "cell.html"
    program = textwrap.dedent(f"""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "ttmem")
        import ttmem
        ttmem.start()
        import ttnn
        shell.user_ns.update(ttnn=ttnn, device=ttnn.open_device(device_id=0))
        cell = "held = ttnn.allocate_tensor_on_device(ttnn.Shape([1, 1, 1024, 1024]), ttnn.bfloat16, ttnn.TILE_LAYOUT, device)"
        shown = shell.run_cell_magic("ttmem", {str(report)!r}, cell)
        assert "2.02 MiB" in shown._repr_html_() and len(shown.leaks) == 1, shown
        assert shell.run_cell_magic("ttmem", "", "1 / 0") is None
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert report.exists()
