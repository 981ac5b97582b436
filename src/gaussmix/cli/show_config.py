"""``gaussmix show-config``: how the library was built, and what it uses here."""

from __future__ import annotations

import argparse

from .._files.tables import writers
from .._runtime import config
from .arguments import Commands


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    commands.add(
        "show-config",
        _run,
        "print how gaussmix was built and what it uses here",
        "Print the version, compiler, instruction sets and threads.\n"
        "Please add this to a bug report.",
        example="gaussmix show-config",
    )


def _run(args: argparse.Namespace) -> None:
    writers.require_standard_output()
    config.show_config()
