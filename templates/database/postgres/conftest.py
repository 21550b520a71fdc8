

@pytest.fixture(scope="session", autouse=True)
def test_database() -> abc.Iterator[None]:
    """Give the tests a database of their own on the server, and drop it afterwards."""
    import secrets

    import psycopg

    from {{ cookiecutter.package_name }} import database

    address = database.Server().database.get_secret_value()
    name = f"test_{secrets.token_hex(8)}"  # others may test on the same server
    with psycopg.connect(address, autocommit=True) as connection, pytest.MonkeyPatch.context() as patch:
        connection.execute(f"CREATE DATABASE {name}")
        patch.setenv("PIPELINE_DATABASE", psycopg.conninfo.make_conninfo(address, dbname=name))
        try:
            yield
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
