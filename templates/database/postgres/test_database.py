

def test_a_query_cannot_write(run) -> None:
    run("store", "--table", "penguins")
    with pytest.raises(database.DatabaseError, match="read-only transaction"):
        database.query("WITH gone AS (DELETE FROM penguins RETURNING 1) SELECT * FROM gone")
    assert database.query("SELECT count(*) AS n FROM penguins")["n"][0] == 344


def test_a_run_that_cannot_write_its_files_leaves_the_tables_too(run, tmp_path) -> None:
    run("run")
    before = database.query("SELECT * FROM predictions")
    (tmp_path / "reports/report.html").unlink()
    (tmp_path / "reports/report.html").mkdir()
    assert run("run", "--seed", 5).code == 7
    assert database.query("SELECT * FROM predictions").equals(before)


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://me:s3cret@127.0.0.1:9/x", "postgresql://me:s3cret@[/x"])
def test_a_server_that_does_not_answer_is_one_sentence_without_the_password(run, monkeypatch, url) -> None:
    monkeypatch.setenv("PIPELINE_DATABASE", url)
    done = run("run")
    assert (done.code, "PIPELINE_DATABASE" in done.err) == (8, True)
    assert "s3cret" not in done.err + done.out


def test_the_address_comes_from_dotenv_too_and_no_message_shows_it(run, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("PIPELINE_DATABASE")
    (tmp_path / ".env").write_text("PIPELINE_DATABASE=postgresql://me:s3cret@127.0.0.1:9/x\n")
    assert database.Server().database.get_secret_value().endswith("127.0.0.1:9/x")
    assert "s3cret" not in repr(database.Server())


def test_no_result_shows_the_password(run, tmp_path) -> None:
    assert run("run").code == 0
    password = database.psycopg.conninfo.conninfo_to_dict(database.Server().database.get_secret_value())["password"]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path
