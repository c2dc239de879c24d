"""The environment that ``manage.py`` adds to the person's own before Django reads its settings."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from proj.servers.lifetime import provide
from proj.servers.scratch import make_scratch
from proj.servers.state import private_folder, write_private

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def var_dir() -> Path:
    """Return the folder for everything that the project writes; the settings have the same rule."""
    return Path(os.environ.get("VAR_DIR") or BASE_DIR / "var").resolve()


def fill_environment(argv: Sequence[str]) -> None:
    """Set what ``argv`` (that of ``manage.py``) needs and the environment lacks: server URLs and a secret key.

    With servers named by the environment nothing is added: then it is a deployment's business to be complete.
    ``demo`` always gets servers and a folder of its own, so that it can never touch somebody's data.

    Raises:
        ServerError: a server cannot be started.
    """
    if list(argv[1:2]) == ["demo"]:
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop("CELERY_BROKER_URL", None)
        os.environ["VAR_DIR"] = str(make_scratch(var_dir() / "demo"))
    urls = provide(var_dir())
    os.environ.update(urls)
    if urls and not os.environ.get("SECRET_KEY"):
        os.environ["SECRET_KEY"] = _kept_secret_key(var_dir())


def _kept_secret_key(var: Path) -> str:
    """Return the key of this folder, made the first time: sessions outlive a restart."""
    file = private_folder(var / "servers") / "secret_key"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(50))
    return file.read_text(encoding="utf-8")
