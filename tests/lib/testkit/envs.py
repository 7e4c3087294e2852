"""Virtual environments and npm packages, installed once into `target/test-env`.

    python3 -m testkit.envs NAME...     prints the interpreter (or folder) of each, installing what is missing

Versions are pinned in `tests/lib/requirements/NAME.txt`; a changed file means a new installation.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import paths

REQUIREMENTS = paths.TESTS / "lib" / "requirements"


def _log(text: str) -> None:
    print(f"[testkit] {text}", file=sys.stderr, flush=True)


def _can_make_venvs(python: str) -> bool:
    probe = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"
    return subprocess.run([python, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def base_python() -> str:
    """An interpreter that can create virtual environments.

    Debian ships Python without `ensurepip`, so the system's own may not do; pyenv's does. As root the
    missing package is installed.
    """
    candidates = [sys.executable, "python3.11", "python3.12", "python3", "/usr/bin/python3"]
    candidates += sorted(map(str, Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.1*/bin/python3")))
    found = [p for c in candidates if (p := shutil.which(c))]
    for python in found:
        if _can_make_venvs(python):
            return python
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _log("installing python3-venv")
        subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=sys.stderr)
        subprocess.run(["apt-get", "install", "-y", "-qq", "python3-venv"], check=True, stdout=sys.stderr)
        if _can_make_venvs("/usr/bin/python3"):
            return "/usr/bin/python3"
    raise SystemExit("no Python >= 3.10 with the venv module was found (Debian: apt install python3-venv)")


def _stamp_of(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ensure_venv(name: str) -> Path:
    """The interpreter of the virtual environment `name`, created from its requirements if need be."""
    requirements = REQUIREMENTS / f"{name}.txt"
    home = paths.cache_dir() / "venv" / name
    python, stamp = home / "bin" / "python", home / "installed"
    # The folder is part of the stamp: environments cannot be moved.
    wanted = _stamp_of(requirements.read_text(), str(home))
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    _log(f"installing the Python environment «{name}»")
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([base_python(), "-m", "venv", str(home)], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)],
        check=True, stdout=sys.stderr,
    )
    stamp.write_text(wanted)
    return python


def ensure_npm(name: str, *packages: str) -> Path:
    """A folder whose `node_modules` holds exactly these pinned packages."""
    home = paths.cache_dir() / "npm" / name
    stamp, wanted = home / "installed", _stamp_of(*packages)
    if stamp.exists() and stamp.read_text() == wanted:
        return home
    _log(f"installing the npm packages «{name}»: {' '.join(packages)}")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "package.json").write_text('{"private": true, "type": "module"}\n')
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--save-exact", *packages],
        cwd=home, check=True, stdout=sys.stderr,
    )
    stamp.write_text(wanted)
    return home


if __name__ == "__main__":
    for wanted_name in sys.argv[1:]:
        print(ensure_venv(wanted_name))
