

@pytest.fixture(autouse=True)
def no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the runs of the tests out of the server that the environment names."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
