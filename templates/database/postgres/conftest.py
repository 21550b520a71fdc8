

@pytest.fixture(scope="session", autouse=True)
def test_database() -> abc.Iterator[None]:
    """Give the tests a database of their own on the server, and drop it afterwards."""
    import secrets

    import psycopg

    from {{ cookiecutter.package_name }} import database

    address, password = database.Server().split()
    name = f"test_{secrets.token_hex(8)}"  # others may test on the same server
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", password)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            patch.setenv("PIPELINE_DATABASE", psycopg.conninfo.make_conninfo(address, dbname=name))
            try:
                yield
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
