"""The settings of a run: from the command line, else from the environment, else from .env as Compose reads it."""

import os
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from .env_file import entries, read
from .errors import SettingError

PREFIX = "PIPELINE_"


class FromEnvironment(BaseSettings):
    """Each field can be set as `PIPELINE_<FIELD>` in the environment, else in .env; an empty value is none."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the first that wins first. Raises SettingError if .env cannot be read."""
        dotenv = EnvSettingsSource(settings_cls)
        dotenv.env_vars = {name.lower(): value for name, value in _dotenv().items() if value}
        return init_settings, env_settings, dotenv

    @classmethod
    def load(cls, **given: object) -> Self:
        """Return the settings; those in `given` that are not None win. Raises SettingError for the first one wrong."""
        given = {name: value for name, value in given.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            name = f"--{field}" if field in given else f"{cls.model_config['env_prefix']}{field.upper()}"
            plain = {"int_parsing": "is not a whole number", "float_parsing": "is not a number"}
            reason = plain.get(first["type"]) or first["msg"].removeprefix("Input ").removeprefix("Value error, ")
            raise SettingError(f"{name} is {first['input']!r}, which {reason}.") from None


class Settings(FromEnvironment):
    """The fields of a run; paths are relative to the working directory."""

    input: str | None = Field(None, description="CSV, Parquet, Excel or JSON Lines, a folder of them, or a query")
    models: Path = Field(Path("models"), description="The folder for the model")
    reports: Path = Field(Path("reports"), description="The folder for the report, figures and metrics")
    seed: int = Field(0, ge=0, lt=2**32, description="The random seed")
    test_share: float = Field(0.25, gt=0, lt=1, description="The share of rows kept for the test")


def load(**given: object) -> Settings:
    """Return the settings of a run; those in `given` that are not None win. Raises SettingError."""
    return Settings.load(**given)


def allowed_hosts() -> list[str]:
    """Return the names by which browsers may call a page: those of this machine, and those in ALLOWED_HOSTS.

    Others would let a page of the Internet, whose name leads here, read what only this machine should.
    """
    named = re.split(r"[\s,]+", os.environ.get("ALLOWED_HOSTS", ""))
    return ["localhost", "127.0.0.1", *(name.partition(":")[0] for name in named if name)]


@cache
def memory() -> int:
    """Return how many bytes this container may use, or this machine has, if that is less."""
    found = [4 * 1024**3]  # where nobody says
    with suppress(AttributeError, OSError, ValueError):  # Windows
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of both versions of cgroups
        with suppress(OSError, ValueError):  # ValueError: it is "max"
            found.append(int(Path("/sys/fs/cgroup", name).read_text()))
    return min(found)


def _dotenv() -> dict[str, str]:
    """Return the settings in .env of the working directory. Raises SettingError for a fault in one of the pipeline."""
    try:
        found = [*entries(read(Path(".env")))]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingError(f".env cannot be read: {error.strerror}.") from None
    for entry in found:
        if entry.fault and (entry.name.startswith(PREFIX) or not entry.name):
            raise SettingError(f".env cannot be read: line {entry.line} {entry.fault}. Correct that line.")
    return {entry.name: entry.value for entry in found if entry.value is not None}


def require_current_packages() -> None:
    """Raise SettingError if a lock in this folder differs from the one that this image was built from."""
    for built in Path(sys.prefix).glob("*.txt"):
        lock = Path("requirements", built.name)
        if lock.exists() and lock.read_bytes() != built.read_bytes():
            command = "docker compose --profile tools build"
            raise SettingError(f"{lock} has changed since this image was built. Rebuild it: {command}")
