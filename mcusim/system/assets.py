"""Where the files that are not Python lie: next to the package in a checkout, inside it in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "_assets"  # a wheel carries the root folders here (hatchling force-include)

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
_NAMES = ("platforms", "codegen", "renode_scripts", "examples")
PLATFORMS, CODEGEN, RENODE_SCRIPTS, EXAMPLES = (ROOT / name for name in _NAMES)
