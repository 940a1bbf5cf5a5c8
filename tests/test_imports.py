"""Who may import whom: the floors of jimb, of the examples and of the proofs, and no circle.

The contracts are in pyproject.toml, below `[tool.importlinter]`.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_imports_go_down_and_in_no_circle():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
