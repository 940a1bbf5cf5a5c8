"""An example that is started without the extra `examples` says how to get it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import examples

ROOT = Path(__file__).parents[2]
IMPORTED_AS = {
    "imbalanced-learn": "imblearn",
    "orbax-checkpoint": "orbax",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
COMMANDS = sorted(path.parent.name for path in (ROOT / "examples").glob("*/__main__.py"))


def test_the_list_is_that_of_the_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [line.split(">")[0] for line in project["optional-dependencies"]["examples"]]
    assert sorted(IMPORTED_AS.get(name, name) for name in names) == sorted(examples.EXTRA)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_without_a_library_of_the_extra_is_one_sentence(tmp_path, name):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['tqdm'] = sys.modules['rdata'] = None  # as if not installed\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", "--help"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    sentence = "rdata, tqdm not installed: run `pip install -e '.[examples]'`."
    assert done.stderr == f"examples: {sentence}\n"
    assert done.stdout == ""
    assert done.returncode == 1
