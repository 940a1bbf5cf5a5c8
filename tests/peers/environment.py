"""A throw-away virtual environment with jimb and the peers, under out/."""

import subprocess
import tarfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "out" / "peers"


def python_with(peers):
    """Installs jimb and what can be had of the peers; returns the interpreter."""
    python = FOLDER / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(FOLDER / "venv", with_pip=True)
    base = pip(python, "install", "-e", str(ROOT), "pytest", "absl-py", "mpmath")
    if base.returncode:
        raise SystemExit(f"pip could not install jimb itself: {base.stderr[-500:].strip()}")
    for peer in peers:  # one by one: what cannot be had must not keep the others away
        pip(python, "install", peer.package, *peer.requires)
    return str(python)


def pip(python, *arguments):
    command = [str(python), "-m", "pip", "-q", *arguments]
    return subprocess.run(command, text=True, capture_output=True)


def version(python, package):
    """The installed version, or None."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([python, "-c", code], text=True, capture_output=True)
    return done.stdout.strip() if done.returncode == 0 else None


def source(python, package, version):
    """The unpacked source distribution, or None where it cannot be downloaded."""
    folder = FOLDER / "source" / f"{package}-{version}"
    if not folder.exists():
        wanted = f"{package}=={version}"
        pip(python, "download", "--no-deps", "--no-binary", package, "-d", str(folder), wanted)
        for archive in folder.glob("*.tar.gz"):
            with tarfile.open(archive) as opened:
                opened.extractall(folder, filter="data")
    return next((path for path in folder.glob("*") if path.is_dir()), None)
