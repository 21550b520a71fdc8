ATTACKS = [
    *("DROP TABLE mine", "DELETE FROM mine", "TRUNCATE mine", "INSERT INTO mine DEFAULT VALUES", "LOCK TABLE mine"),
    *("ALTER TABLE mine RENAME TO x", "CREATE TABLE x AS SELECT 1", "SELECT 1 INTO x", "GRANT ALL ON mine TO PUBLIC"),
    *("COPY mine TO '/tmp/x'", "COPY mine TO PROGRAM 'touch /tmp/x'", "COPY mine FROM PROGRAM 'id'"),
    *("CREATE DATABASE x", "CREATE ROLE x SUPERUSER", "ALTER ROLE CURRENT_USER SUPERUSER"),
    *("ALTER ROLE CURRENT_USER PASSWORD 'x'", "ALTER SYSTEM SET work_mem = '1MB'", "SET ROLE postgres"),
    *("CREATE EXTENSION dblink", "SELECT lo_create(7)", "CREATE FUNCTION f() RETURNS int RETURN 1", "CREATE SCHEMA x"),
    *("SET TRANSACTION READ WRITE", "SELECT set_config('transaction_read_only', 'off', false)"),
    *(f"DO $$ BEGIN {each}; DELETE FROM mine; END $$" for each in ("SET TRANSACTION READ WRITE", "COMMIT", "NULL")),
    *("WITH x AS (DELETE FROM mine RETURNING 1) SELECT * FROM x", "SELECT * FROM mine FOR UPDATE", "VACUUM FULL mine"),
]


def everything() -> list[list[tuple]]:
    """Return what a query could change: rows, and who owns and may do what."""
    kinds = ("relname, relowner, relacl FROM pg_class", "* FROM pg_roles", "nspname, nspowner FROM pg_namespace")
    kinds += ("proname FROM pg_proc", "* FROM pg_largeobject_metadata", "* FROM pg_description", "* FROM pg_extension")
    address, password = database.Server().split()
    with database.psycopg.connect(address, password=password) as connection:
        found = [sorted(map(str, connection.execute(f"SELECT {kind}"))) for kind in kinds]
        return [*found, *map(list, connection.execute("SELECT * FROM pipeline.mine"))]


def test_a_user_who_may_do_anything_runs_no_query(run, monkeypatch) -> None:
    monkeypatch.setattr(database, "MIGHTIES", ["pg_read_all_data", "pg_database_owner"])  # its tests' user is the owner
    with pytest.raises(database.DatabaseError, match="No query runs as a user"):
        database.query("SELECT 1")


def test_a_query_cannot_write(run) -> None:
    run("store", "--table", "mine")
    with pytest.raises(database.DatabaseError, match="read-only transaction"):
        database.query("WITH gone AS (DELETE FROM mine RETURNING 1) SELECT * FROM gone")
    assert database.query("SELECT count(*) AS n FROM mine")["n"][0] == data.read()[0].height


def test_a_run_that_cannot_write_its_files_leaves_the_tables_too(run, tmp_path) -> None:
    run("run")
    before = database.query("SELECT * FROM predictions")
    (tmp_path / "reports/report.html").unlink()
    (tmp_path / "reports/report.html").mkdir()
    assert run("run", "--seed", 5).code == 7
    assert database.query("SELECT * FROM predictions").equals(before)


def test_a_run_that_dies_between_its_files_and_its_table_is_made_whole_by_the_next_query(run, monkeypatch) -> None:
    @contextlib.contextmanager
    def dying(_):
        yield
        raise database.DatabaseError("killed")

    run("run")
    with monkeypatch.context() as patch:
        patch.setattr(database, "_storing", dying)
        assert run("run", "--seed", 5).code == 8
    expected = pl.read_parquet("reports/tables/predictions.parquet")["predicted"].cast(pl.String)
    assert database.query("SELECT * FROM predictions")["predicted"].cast(pl.String).equals(expected)
    assert not Path("reports", database.UNSURE).exists()


PUNCTUATION = "".join(map(chr, range(32, 127)))
PASSWORDS = ["p@s3cret", "s3/cret?a=b#c", "%41s3cret%", "5432/%s3cret", PUNCTUATION, "s3cr\xe9t \U0001f427", "//a"]
HOSTS = ["db:5432/pipeline", "db/pipeline?application_name=me@here", "db"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_can_have_any_character(monkeypatch, password, host) -> None:
    parts = (f"postgresql://me@{host}", password)
    encoded = "".join(f"%{byte:02X}" for byte in password.encode())
    for written in (f"me:{password}", f"me:{encoded}", "me"):
        monkeypatch.setenv("PGPASSWORD", password)
        monkeypatch.setenv("PIPELINE_DATABASE", f"postgresql://{written}@{host}")
        assert database.Server().split() == parts
        if "%" not in password and written != "me":  # one that is not that of .env
            monkeypatch.setenv("PGPASSWORD", "another")
            assert database.Server().split() == parts


LOGIN = "postgresql://" + "me:s3cret@"  # in two, as a check before a commit looks for logins
ADDRESSES = [
    *("", "nonsense", "s3cret", LOGIN.replace("postgresql", "mysql") + "db/x"),
    *(LOGIN + "127.0.0.1:9/x", LOGIN + "[/x", LOGIN + "db:port/x", LOGIN + "a..b/x", LOGIN + "nowhere.invalid/x"),
    *(LOGIN.replace("s3cret@", "a@s3cret"), LOGIN + "127.0.0.1:9/x?sslmode=s3cret"),
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_that_cannot_work_is_one_sentence_without_the_password(run, monkeypatch, url) -> None:
    monkeypatch.setenv("PIPELINE_DATABASE", url)
    done = run("store", "--table", "mine")
    assert (done.code, "PIPELINE_DATABASE" in done.err) == (8, True)
    assert "s3cret" not in done.err + done.out


def test_a_wrong_password_is_one_sentence_without_it(run, monkeypatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "p@s3cret")
    done = run("store", "--table", "mine")
    assert (done.code, "POSTGRES_PASSWORD in .env" in done.err, "s3cret" in done.err) == (8, True, False)


ANSWERS = {
    'FATAL:  password authentication failed for user "too many"': database.REFUSED,
    'FATAL:  role "me" does not exist': database.REFUSED,
    'FATAL:  database "me" does not exist': "The server has no database of that name",
    "FATAL:  sorry, too many clients already": "The database has no connection left",
    "FATAL:  the database system is starting up": "The database is starting or stopping",
    "server does not support SSL, but SSL was required": "The database does not accept this machine",
    "received invalid response to SSL negotiation: H": database.UNREADABLE,
    "timeout expired": database.SILENT,
}


@pytest.mark.parametrize(("said", "expected"), ANSWERS.items())
def test_what_the_server_says_becomes_a_remedy(monkeypatch, said, expected) -> None:
    monkeypatch.setenv("PIPELINE_DATABASE", LOGIN + "127.0.0.1:9/x")

    def refuse(**options: object) -> None:
        raise database.psycopg.OperationalError(f'connection to server at "s3cret", port 9 failed: {said}')

    monkeypatch.setattr(database.psycopg, "connect", refuse)
    with pytest.raises(database.DatabaseError) as raised:
        database.query("SELECT 1")
    assert str(raised.value).startswith(expected)
    assert "s3cret" not in str(raised.value)


def test_a_lost_connection_is_one_sentence(run) -> None:
    done = run("check", "--input", "SELECT pg_terminate_backend(pg_backend_pid())")
    assert (done.code, done.err) == (8, "Error: The connection to the database was lost. Try again once it answers.\n")


def test_a_server_that_makes_wait_is_not_waited_for_in_silence(monkeypatch, caplog) -> None:
    timer = database.Timer
    monkeypatch.setattr(database, "Timer", lambda _, *told: timer(0.2, *told))
    database.query("SELECT pg_sleep(1)::text")
    assert "The database is still at work" in caplog.text


FAULTS = {
    database.psycopg.errors.DiskFull: "could not extend file. Free some space on the server's disk",
    database.psycopg.errors.AdminShutdown: "The connection to the database was lost. Try again",
}


@pytest.mark.parametrize(("fault", "said"), FAULTS.items())
def test_a_fault_of_the_server_is_not_blamed_on_the_query(fault, said) -> None:
    with pytest.raises(database.DatabaseError, match=said), database._connected():
        raise fault("could not extend file.")


def test_types_that_polars_lacks_are_text_or_numbers() -> None:
    columns = "interval '3 days', '1.2.3.4'::inet, 'null'::jsonb, 2.5 AS number, 'Infinity'::numeric, ARRAY[1, NULL]"
    found = database.query(f"SELECT {columns}, now()").row(0)
    assert found[:-1] == ("3 days", "1.2.3.4", "null", 2.5, float("inf"), [1, None])


def test_the_address_comes_from_dotenv_too_and_no_message_shows_it(run, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("PIPELINE_DATABASE")
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=s3cret\nPIPELINE_DATABASE=postgresql://me@127.0.0.1:9/x\n")
    assert database.Server().split() == ("postgresql://me@127.0.0.1:9/x", "s3cret")
    assert "s3cret" not in repr(database.Server())


def test_no_result_shows_the_password(run, tmp_path) -> None:
    assert run("run").code == 0
    password = database.Server().split()[1]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path
