"""Settings, from an environment that is passed in. Nothing is read at import.

`Settings.from_env(os.environ)` is called by the entry points (app.py, `python -m backend`, the worker) and nowhere else.
`describe()` lists every variable, which `python -m backend status` prints; secrets are shown only as set or not set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.errors import InvalidInput


def _setting(variable: str, text: str, default: Any, *, secret: bool = False, empty: Any = None) -> Any:
    """`empty` is what a variable means that is there and empty; without it that is the same as one that is not there."""
    metadata = {"variable": variable, "help": text, "secret": secret, "empty": empty}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Paths are absolute; times are in seconds, sizes in bytes."""

    data: Path = _setting("TOUCHSTONE_DATA", "The data folder: database, snapshots, runs, models.", Path("data"))
    database_url: str = _setting(
        "DATABASE_URL",
        "The database; empty means SQLite in the data folder. postgresql://user:password@host/name",
        "",
        secret=True,
    )
    host: str = _setting("TOUCHSTONE_HOST", "The address that the web process binds to.", "127.0.0.1")
    port: int = _setting("TOUCHSTONE_PORT", "The web process's port.", 8501)
    public_url: str = _setting("TOUCHSTONE_URL", "The address that people open, for links; https:// makes cookies Secure.", "")
    engine_url: str = _setting(
        "TOUCHSTONE_ENGINE_URL", "An OpenAI-compatible server to chat with; empty means the engine beside the web process.", ""
    )
    engine_port: int = _setting("TOUCHSTONE_ENGINE_PORT", "The port of the engine on loopback.", 8502)
    engine_key: str = _setting("TOUCHSTONE_ENGINE_KEY", "Bearer key for the engine, if it wants one.", "", secret=True)
    session_hours: int = _setting("TOUCHSTONE_SESSION_HOURS", "Hours until a login ends.", 12)
    link_hours: int = _setting("TOUCHSTONE_LINK_HOURS", "Hours until an invitation or reset link ends.", 72)
    login_attempts: int = _setting(
        "TOUCHSTONE_LOGIN_ATTEMPTS", "Failed logins per account in 15 minutes; five times as many per address.", 8
    )
    oidc_issuer: str = _setting(
        "TOUCHSTONE_OIDC_ISSUER", "OpenID Connect issuer address; empty switches single sign-on off.", ""
    )
    oidc_client_id: str = _setting("TOUCHSTONE_OIDC_CLIENT_ID", "OpenID Connect client id.", "")
    oidc_client_secret: str = _setting("TOUCHSTONE_OIDC_CLIENT_SECRET", "OpenID Connect client secret.", "", secret=True)
    import_max_bytes: int = _setting("TOUCHSTONE_IMPORT_MAX_BYTES", "The largest file that is imported.", 1_000_000_000)
    import_max_rows: int = _setting("TOUCHSTONE_IMPORT_MAX_ROWS", "The most rows in one imported file.", 2_000_000)
    text_max_chars: int = _setting("TOUCHSTONE_TEXT_MAX_CHARS", "The longest text of one turn.", 100_000)
    lease_seconds: int = _setting("TOUCHSTONE_LEASE_SECONDS", "How long an item is held without a sign of life.", 900)
    worker_slots: int = _setting(
        "TOUCHSTONE_WORKER_SLOTS", "Jobs that one worker runs at a time, beside those that hold GPUs.", 1
    )
    gpus: str = _setting(
        "TOUCHSTONE_GPUS",
        "The GPUs that a worker gives to jobs, by number or UUID (0,1); 'none' for none, empty for all that nvidia-smi lists.",
        "",
    )
    gpus_seen: str = _setting(
        "CUDA_VISIBLE_DEVICES",
        "Where TOUCHSTONE_GPUS is empty, the worker gives to jobs no others than these.",
        "",
        empty="none",
    )
    trainer_threads: int = _setting(
        "TOUCHSTONE_TRAINER_THREADS", "CPU threads of a trainer; 1 is fastest on shared machines.", 1
    )
    clean_workers: int = _setting(
        "TOUCHSTONE_CLEAN_WORKERS", "Processes that look at records in `clean`; 0 for one for each CPU.", 0
    )
    launcher: str = _setting(
        "TOUCHSTONE_LAUNCHER", "Where jobs run: 'local' on the worker's machine, 'ray' on a cluster as Ray Jobs.", "local"
    )
    ray_address: str = _setting(
        "RAY_ADDRESS", "The Ray cluster's head, HOST:PORT, or its job server, http://HOST:8265; empty means this machine.", ""
    )
    ray_job_server: str = _setting(
        "RAY_API_SERVER_ADDRESS", "The head's job server where RAY_ADDRESS does not name it: http://HOST:PORT.", ""
    )
    ray_token: str = _setting("RAY_AUTH_TOKEN", "The token that the Ray cluster was started with.", "", secret=True)
    ray_cpus: int = _setting("TOUCHSTONE_RAY_CPUS", "CPUs that a job takes on the Ray cluster.", 1)
    ray_gpus: int = _setting("TOUCHSTONE_RAY_GPUS", "GPUs that a job takes on the Ray cluster; without one it sees none.", 0)
    log_format: str = _setting("TOUCHSTONE_LOG", "Log lines as 'text' or 'json'.", "text")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read every setting from `environ`. Raises InvalidInput naming the variable that cannot be read."""
        values: dict[str, Any] = {}
        for spec in dataclasses.fields(cls):
            variable = spec.metadata["variable"]
            raw = environ.get(variable, "").strip() or (spec.metadata["empty"] if variable in environ else "") or ""
            if not raw:
                continue
            if spec.type == "int":
                if not raw.isdigit():
                    raise InvalidInput(f"{spec.metadata['variable']} must be a whole number; it is {raw!r}.")
                values[spec.name] = int(raw)
            elif spec.type == "Path":
                values[spec.name] = Path(raw)
            else:
                values[spec.name] = raw
        values["data"] = Path(values.get("data", cls.__dataclass_fields__["data"].default)).expanduser().resolve()
        return cls(**values)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL, with the driver named."""
        url = self.database_url or f"sqlite:///{self.data / 'touchstone.db'}"
        for prefix in ("postgresql://", "postgres://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        return url

    @property
    def address(self) -> str:
        """The address that people open, without a trailing slash. A wildcard host is shown as loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        shown = f"[{host}]" if ":" in host else host
        return (self.public_url or f"http://{shown}:{self.port}").rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether cookies are marked Secure."""
        return urlsplit(self.address).scheme == "https"

    @property
    def engine(self) -> str:
        """The engine's address, without a trailing slash and without /v1."""
        return (self.engine_url or f"http://127.0.0.1:{self.engine_port}").rstrip("/").removesuffix("/v1")

    @property
    def snapshots(self) -> Path:
        """Folder of snapshot folders."""
        return self.data / "snapshots"

    @property
    def runs(self) -> Path:
        """Folder of run folders."""
        return self.data / "runs"

    @property
    def exports(self) -> Path:
        """Folder of exported models."""
        return self.data / "exports"

    @property
    def models(self) -> Path:
        """Folder of served model folders, which the engine reads."""
        return self.data / "models"

    def describe(self) -> list[dict[str, str]]:
        """Every variable with its help and value; a secret's value only as 'set' or ''."""
        rows = []
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            shown = ("set" if value else "") if spec.metadata["secret"] else str(value)
            rows.append({"variable": spec.metadata["variable"], "value": shown, "help": spec.metadata["help"]})
        return rows
