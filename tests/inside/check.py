"""Types and rules: what a column of the schema reads, and what is said of a value that breaks a rule."""

from datetime import date, datetime, time

import pandera.polars as pa
import polars as pl
import pytest
from my_project import check, errors
from my_project.convert import commas, convert

NOON = datetime(2024, 1, 31, 12)


@pytest.mark.parametrize(
    ("texts", "dtype", "values"),
    [
        (["2024-01-31", "", None, "NaN"], pl.Date(), [date(2024, 1, 31), None, None, None]),
        (["31/01/2024", "01/02/2024"], pl.Date(), [date(2024, 1, 31), date(2024, 2, 1)]),
        (["01/31/2024", "02/01/2024"], pl.Date(), [date(2024, 1, 31), date(2024, 2, 1)]),
        (["31.01.2024"], pl.Date(), [date(2024, 1, 31)]),
        (["2024-01-31 00:00:00"], pl.Date(), [date(2024, 1, 31)]),
        (["2024-01-31T12:00:00Z"], pl.Datetime("us"), [NOON]),
        (["31.01.2024 12:00"], pl.Datetime("us"), [NOON]),
        (["1:30 PM"], pl.Time(), [time(13, 30)]),
        (["true", "NO", "1", "f", "N/A"], pl.Boolean(), [True, False, True, False, None]),
        (["2007.0", "1e+05", " 7 ", "nan", "9007199254740993"], pl.Int64(), [2007, 100000, 7, None, 9007199254740993]),
        (["1.234,5", "1.234", "7"], pl.Float64(), [1234.5, 1234.0, 7.0]),
        (["1,234.5", "1,234", "7.25"], pl.Float64(), [1234.5, 1234.0, 7.25]),
    ],
)
def test_text_in_its_usual_forms_gets_the_type_of_the_schema(texts, dtype, values) -> None:
    column = pl.Series(texts, dtype=pl.String)
    new, lost = convert(column, dtype, commas([column]) if dtype.is_numeric() else "")
    assert (new.to_list(), lost.any()) == (values, False)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["31.01.24"], pl.Date()),  # 2024 or 1924
        (["2024-01-31 12:00"], pl.Date()),
        (["2024-02-30"], pl.Date()),
        (["1,234"], pl.Float64()),
        (["2007.5"], pl.Int64()),
        (["ja"], pl.Boolean()),
        ([0, 2], pl.Boolean()),
        ([NOON], pl.Date()),
        ([date(2024, 1, 31)], pl.Int64()),
    ],
)
def test_what_a_type_cannot_hold_is_lost_and_not_guessed(values, dtype) -> None:
    assert convert(pl.Series(values), dtype)[1].any()


def test_dates_that_can_be_read_in_two_ways_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'01/02/2024' can be 2024-02-01 or 2024-01-02"):
        convert(pl.Series(["01/02/2024"]), pl.Date())


class Rules(pa.DataFrameModel):
    """A rule of each kind."""

    key: str = pa.Field(unique=True, str_matches="^[a-z]+$")
    share: float = pa.Field(in_range={"min_value": 0, "max_value": 1})
    day: pl.Date = pa.Field(ge=date(2020, 1, 1), nullable=True)
    note: str = pa.Field(str_length={"max_value": 3}, notin=["no"], nullable=True)

    class Config:
        """Rules of the whole table."""

        unique = ("day",)

    @pa.check("share", error="be far from a half")
    def extreme(cls, column):  # noqa: N805
        """A rule of one's own."""
        return column.lazyframe.select((pl.col("share") - 0.5).abs() > 0.1)

    @pa.dataframe_check
    def of_rows(cls, table):  # noqa: N805
        """Short keys only if small."""
        return table.lazyframe.select((pl.col("share") < 0.3) | (pl.col("key").str.len_chars() > 1))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("key", ["a", "a"], "row 1, column key: 'a' is there more than once (2 wrong"),
        ("key", ["a", "B\x1b"], r"row 2, column key: 'B\x1b' does not start with the pattern ^[a-z]+$ (1 wrong"),
        ("key", ["a", None], "row 2, column key: a value is missing (1 wrong"),
        ("share", ["0.1", "2"], "row 2, column share: 2 is not between 0 and 1 (1 wrong"),
        ("share", ["0.1", "0.5"], "row 2, column share: 0.5 breaks the rule 'be far from a half' (1 wrong"),
        ("share", ["0.1", "0.9"], "row 2: it breaks the rule 'Short keys only if small.' (1 wrong"),
        ("day", [None, None], "row 1: another row has the same day (2 wrong"),
        ("day", ["2019-12-31", None], "row 1, column day: 2019-12-31 is below 2020-01-01 (1 wrong"),
        ("day", ["soon", None], "row 1, column day: 'soon' is not a date like 2024-01-31 (1 wrong"),
        ("note", ["no", None], "row 1, column note: 'no' is one of: no (1 wrong"),
        ("note", ["much", None], "row 1, column note: 'much' is shorter or longer than allowed"),
    ],
)
def test_each_kind_of_rule_is_told_truly(monkeypatch, column, values, said) -> None:
    monkeypatch.setattr(check, "SCHEMA", Rules.to_schema())
    monkeypatch.setattr(check, "COLUMNS", check.SCHEMA.columns)
    good = {"key": ["a", "b"], "share": ["0.1", "0.2"], "day": ["2020-01-01", None], "note": [None, "yes"]}
    assert check.check(pl.DataFrame(good), "mine").height == 2
    with pytest.raises(errors.ValueRangeError) as caught:
        check.check(pl.DataFrame(good | {column: values}), "mine")
    assert f"mine, {said}" in str(caught.value)


def test_no_message_is_longer_than_five_lines_or_controls_a_terminal() -> None:
    frame = pl.DataFrame({f"\x1b[31m{i}" * 9: ["x"] for i in range(2000)})
    with pytest.raises(errors.ColumnError) as caught:
        check.check(frame, "wide.csv" * 99)
    assert len(str(caught.value)) <= 400
    assert str(caught.value).isprintable()
