"""The settings of a run: from the command line, else from the environment, else from .env."""

from pathlib import Path

#% if cookiecutter.database == 'postgres'
from pydantic import Field, SecretStr, ValidationError
#% else
from pydantic import Field, ValidationError
#% endif
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingError


class Settings(BaseSettings):
    """Each field can be set as `PIPELINE_<FIELD>`; paths are relative to the working directory."""

    model_config = SettingsConfigDict(
        env_prefix="PIPELINE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    input: str | None = Field(
        None, description="CSV or Parquet file, a folder of them, or a SELECT query (default: the sample)"
    )
    models: Path = Field(Path("models"), description="Folder for the model")
    reports: Path = Field(Path("reports"), description="Folder for the report, figures and metrics")
    seed: int = Field(0, ge=0, lt=2**32, description="Number that all randomness starts from")
#% if cookiecutter.database == 'postgres'
    database: SecretStr = Field(SecretStr(""), description="postgresql://user:password@host:port/name")
#% endif
    test_share: float = Field(0.25, gt=0, lt=1, description="Share of the rows kept for the test")


def load(**given: object) -> Settings:
    """Return the settings, those in `given` that are not None before all others.

    Raises SettingError with the name and value of the first setting that makes no sense.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        raise SettingError(
            f"Setting {name} is {first['input']!r}: {first['msg'].lower()}. Change --{name.replace('_', '-')}, "
            f"or PIPELINE_{name.upper()} in .env."
        ) from None
