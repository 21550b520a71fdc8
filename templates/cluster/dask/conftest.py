

@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests off the cluster that the environment names."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
