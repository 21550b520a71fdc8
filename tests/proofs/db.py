"""The database keeps what the pipeline writes, and nobody gets in without the password."""

from stack import Stack


def psql(stack: Stack, query: str) -> str:
    """Return what PostgreSQL answers."""
    return stack.compose("exec", "db", "psql", "--username=pipeline", "-qtA", "-c", query).strip()


def before(stack: Stack) -> None:
    """Try a wrong password, write rows, and use them as input."""
    assert not any(stack.container("db")["NetworkSettings"]["Ports"].values())
    assert psql(stack, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'pipeline'") == "t"
    wrong = ("--env", "PIPELINE_DATABASE=postgresql://pipeline:wrong@db:5432/pipeline")
    refused = stack.compose("run", "--rm", *wrong, "process", "check", "--input", "SELECT 1", code=8)
    assert "The database refuses the user or the password." in refused
    stack.compose("run", "--rm", "process", "store", "--table", "penguins")
    assert psql(stack, "SELECT count(*) FROM pipeline.penguins") == "344"
    psql(stack, "INSERT INTO pipeline.penguins SELECT * FROM pipeline.penguins WHERE species = 'Gentoo'")
    said = stack.compose("run", "--rm", "process", "run", "--input", "SELECT * FROM penguins WHERE species <> 'Adelie'")
    assert "316 rows from SELECT" in said
    assert psql(stack, "SELECT count(*) FROM pipeline.predictions") == "79"


def after(stack: Stack, kept: None) -> str:
    """Count the rows again."""
    assert psql(stack, "SELECT count(*) FROM pipeline.penguins") == "468"
    return "rows written, read, and kept over down and up"
