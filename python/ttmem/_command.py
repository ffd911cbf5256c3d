"""Finds and runs the `ttmem` command and the agent library that belong to this package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

COMMAND = "ttmem"
AGENT = "libttmem_agent.so"


def _installed() -> Iterator[Path]:
    """Files of the installed distribution, for installations outside the default folders."""
    try:
        for file in metadata.files("ttmem") or []:
            if file.name in (COMMAND, AGENT):
                yield Path(str(file.locate()))
    except metadata.PackageNotFoundError:
        return


def find_command() -> str:
    """Returns the path of the `ttmem` command: `$TTMEM`, that of this package, or the first on PATH.

    Raises FileNotFoundError if there is none.
    """
    candidates = [os.environ.get("TTMEM"), os.path.join(sysconfig.get_path("scripts"), COMMAND)]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    for file in _installed():
        if file.name == COMMAND and file.exists():
            return str(file)
    found = shutil.which(COMMAND)
    if found:
        return found
    raise FileNotFoundError("the ttmem command is not installed: pip install ttmem, or name it in $TTMEM")


def find_agent() -> str | None:
    """Returns the path of the agent library: `$TTMEM_AGENT`, that of this package, or that of the command; else None."""
    named = os.environ.get("TTMEM_AGENT")
    if named:
        return named
    installed = os.path.join(sysconfig.get_path("data"), "lib", "ttmem", AGENT)
    if os.path.isfile(installed):
        return installed
    for file in _installed():
        if file.name == AGENT and file.exists():
            return str(file)
    try:
        folder = Path(find_command()).resolve().parent
    except FileNotFoundError:
        return None
    for place in (folder, folder.parent / "lib" / "ttmem", folder.parent / "lib"):
        if (place / AGENT).is_file():
            return str(place / AGENT)
    return None


class CommandError(RuntimeError):
    """The `ttmem` command failed; the message is its own."""


def run(*arguments: str) -> str:
    """Runs `ttmem` with these arguments and returns its standard output.

    The agent is not loaded into it. Raises CommandError if it ends with another code than 0.
    """
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run([find_command(), *arguments], env=environment, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ttmem ended with {done.returncode}"]
        raise CommandError(lines[-1])
    return done.stdout


def run_json(*arguments: str) -> Any:
    """Runs `ttmem` and returns the JSON that it prints."""
    return json.loads(run(*arguments))
