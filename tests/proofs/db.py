"""The database keeps what the pipeline writes, nobody gets in without the password, and no service rules it."""

from stack import Stack


def psql(stack: Stack, query: str, user: str = "pipeline") -> str:
    """Return what PostgreSQL answers a user inside the container."""
    return stack.compose("exec", "db", "psql", f"--username={user}", "-qtA", "-c", query, "pipeline").strip()


def before(stack: Stack) -> None:
    """Try a wrong password, write rows, and use them as input."""
    assert not any(stack.container("db")["NetworkSettings"]["Ports"].values())
    logins = "SELECT rolname FROM pg_authid WHERE rolcanlogin AND rolpassword LIKE 'SCRAM-SHA-256$%' ORDER BY 1"
    with_password = psql(stack, logins, "postgres").split()
    assert with_password == (["mlflow"] if "mlflow" in stack.running else []) + ["pipeline"]
    mighty = "SELECT rolname FROM pg_authid WHERE rolsuper OR rolpassword !~ '^SCRAM'"
    assert psql(stack, mighty, "postgres") == "postgres"
    wrong = ("--env", "PIPELINE_DATABASE=postgresql://pipeline:wrong@db:5432/pipeline")
    refused = stack.compose("run", "--rm", *wrong, "process", "check", "--input", "SELECT 1", code=8)
    assert "The database refuses the user or the password." in refused
    stack.compose("run", "--rm", "process", "store", "--table", "penguins")
    assert psql(stack, "SELECT count(*) FROM penguins", "people") == "344"
    psql(stack, "INSERT INTO pipeline.penguins SELECT * FROM pipeline.penguins WHERE species = 'Gentoo'")
    said = stack.compose("run", "--rm", "process", "run", "--input", "SELECT * FROM penguins WHERE species <> 'Adelie'")
    assert "316 rows from SELECT" in said
    assert psql(stack, "SELECT count(*) FROM pipeline.predictions") == "79"


def after(stack: Stack, kept: None) -> str:
    """Count the rows again."""
    assert psql(stack, "SELECT count(*) FROM pipeline.penguins") == "468"
    return "rows written, read, and kept over down and up"
