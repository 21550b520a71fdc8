"""What a row must look like: the only place that names columns, types and allowed values."""

import pandera.polars as pa
import polars as pl

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
ISLANDS = ["Biscoe", "Dream", "Torgersen"]
SEXES = ["female", "male"]


class Penguins(pa.DataFrameModel):
    """One penguin per row. Lengths in millimetres, mass in grams; limits are generous bounds for adult birds."""

    species: str = pa.Field(isin=SPECIES)
    island: str = pa.Field(isin=ISLANDS)
    bill_length_mm: float = pa.Field(ge=20, le=80, nullable=True)
    bill_depth_mm: float = pa.Field(ge=5, le=40, nullable=True)
    flipper_length_mm: float = pa.Field(ge=100, le=300, nullable=True)
    body_mass_g: float = pa.Field(ge=1000, le=10000, nullable=True)
    sex: str = pa.Field(isin=SEXES, nullable=True)
    year: int = pa.Field(ge=2000, le=2100)


SCHEMA = Penguins.to_schema()
for name, column in SCHEMA.columns.items():
    # Text that can only be one of some values takes a byte for each row, not 16
    if column.dtype.type == pl.String and [rule.name for rule in column.checks] == ["isin"]:
        SCHEMA = SCHEMA.update_column(name, dtype=pl.Enum(column.checks[0].statistics["allowed_values"]))
COLUMNS = SCHEMA.columns
