"""What a row must look like, and what to predict: the only file that knows the table. `adopt` writes one.

Rules are pandera's. A title is the name that people see, with the unit in brackets at its end.
"""

import pandera.polars as pa
import polars as pl


class Rows(pa.DataFrameModel):
    """One penguin per row. Limits are generous bounds for adult birds."""

    species: str = pa.Field(title="Species", isin=["Adelie", "Chinstrap", "Gentoo"])
    island: str = pa.Field(title="Island", isin=["Biscoe", "Dream", "Torgersen"])
    bill_length_mm: float = pa.Field(title="Bill length (mm)", ge=20, le=80, nullable=True)
    bill_depth_mm: float = pa.Field(title="Bill depth (mm)", ge=5, le=40, nullable=True)
    flipper_length_mm: float = pa.Field(title="Flipper length (mm)", ge=100, le=300, nullable=True)
    body_mass_g: float = pa.Field(title="Body mass (g)", ge=1000, le=10000, nullable=True)
    sex: str = pa.Field(title="Sex", isin=["female", "male"], nullable=True)
    year: int = pa.Field(title="Year", ge=2000, le=2100)


TITLE = "Which penguin is it?"
TARGET = "species"
TASK = "classification"  # or "regression", of a number
FEATURES = ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]
DERIVED: dict[str, pl.Expr] = {}  # computed features, such as {"area": pl.col("width") * pl.col("height")}
SAMPLE = "penguins.csv"  # in sample/: rows for the tests, and for a run without an input
