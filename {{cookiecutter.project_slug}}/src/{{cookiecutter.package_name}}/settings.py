"""The settings of a run: from the command line, else from the environment, else from .env."""

import sys
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingError


class Settings(BaseSettings):
    """Each field can be set as `PIPELINE_<FIELD>`; paths are relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix="PIPELINE_", env_file=".env", env_ignore_empty=True, extra="ignore")

    input: str | None = Field(None, description="A CSV or Parquet file, a folder of them, or a SELECT query")
    models: Path = Field(Path("models"), description="The folder for the model")
    reports: Path = Field(Path("reports"), description="The folder for the report, figures and metrics")
    seed: int = Field(0, ge=0, lt=2**32, description="The random seed")
    test_share: float = Field(0.25, gt=0, lt=1, description="The share of rows kept for the test")


def load(**given: object) -> Settings:
    """Return the settings; those in `given` that are not None win. Raises SettingError for the first that is wrong."""
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        name = f"--{field}" if field in given else f"PIPELINE_{field.upper()}"
        plain = {"int_parsing": "is not a whole number", "float_parsing": "is not a number"}
        reason = plain.get(first["type"]) or first["msg"].removeprefix("Input ")
        raise SettingError(f"{name} is {first['input']!r}, which {reason}.") from None


def require_current_packages() -> None:
    """Raise SettingError if a lock in this folder differs from the one that this image was built from."""
    for built in Path(sys.prefix).glob("*.txt"):
        lock = Path("requirements", built.name)
        if lock.exists() and lock.read_bytes() != built.read_bytes():
            command = "docker compose --profile tools build"
            raise SettingError(f"{lock} has changed since this image was built. Rebuild it: {command}")
