"""Inputs in a real S3 server, read by the production image over a network that can be cut."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import s3
from stack import Stack, gateway, project

pytestmark = pytest.mark.usefixtures("engine")

SPLIT = """
import sys
from pathlib import Path
import polars as pl
for (year,), rows in pl.read_csv(sys.argv[1], null_values="NA").group_by("year", maintain_order=True):
    folder = Path(f"data/all/year={year}")
    folder.mkdir(parents=True)
    if year == 2008:
        rows.drop("year").write_parquet(folder / "a.parquet")
    else:
        rows.drop("year").write_csv(folder / "a b.csv", null_value="NA")
"""
KEYS = {"AWS_ACCESS_KEY_ID": s3.KEY, "AWS_SECRET_ACCESS_KEY": s3.SECRET}


class Setup(NamedTuple):
    """A project, a server, and how the project's containers reach it."""

    made: Stack
    store: s3.Store
    wire: s3.Wire
    gateway: str

    def set(self, **settings: str) -> None:
        """Change settings in .env; those with keys are only the ones that are named here."""
        env = self.made.path / ".env"
        lines = re.sub(rf"(?m)^(?:AWS_\w+|STORAGE_\w+|{'|'.join(settings) or '-'})=.*\n", "", env.read_text())
        env.write_text(lines + "".join(f"{name}={value}\n" for name, value in settings.items()))

    def run(self, *command: str, code: int = 0) -> str:
        """Run the production image; what it says must not have the secret."""
        said = self.made.compose("run", "--rm", "process", *command, code=code)
        assert s3.SECRET not in said
        return said

    def results(self) -> list[bytes]:
        """Return the numbers and the predictions of the last run."""
        names = ("metrics.json", "tables/predictions.parquet")
        return [(self.made.path / "reports" / name).read_bytes() for name in names]


@pytest.fixture(scope="module")
def setup(bake, tmp_path_factory) -> Iterator[Setup]:
    """Put the sample into a server, in a file for each year and once as a large file."""
    made = project(bake, tmp_path_factory.mktemp("remote"))
    store = s3.Store(tmp_path_factory.mktemp("store"))
    wire = s3.Wire(gateway(), store.port)
    try:
        made.compose("--profile", "tools", "build", "process", "test", "adopt")
        sample = next((made.path / "src").glob("*/sample/*.csv"))
        inside = ("run", "--rm", "--entrypoint", "/opt/venv/bin/python", "test", "-c", SPLIT)
        made.compose(*inside, sample.relative_to(made.path).as_posix())
        for file in (made.path / "data/all").rglob("*.*"):
            store.put(f"penguins/{file.relative_to(made.path / 'data')}", file.read_bytes())
        store.put("penguins/all/_SUCCESS", b"")
        store.put("public/one.csv", sample.read_bytes())
        header, _, rows = sample.read_bytes().partition(b"\n")
        store.put("penguins/large.csv", header + b"\n" + rows * 2000)
        yield Setup(made, store, wire, gateway())
    finally:
        wire.close()
        store.stop()
        made.remove()


def test_a_folder_in_a_store_is_read_like_one_of_this_machine(setup) -> None:
    setup.set(**KEYS, AWS_ENDPOINT_URL=f"http://{setup.gateway}:{setup.wire.port}")
    setup.run("run", "--input", "data/all")
    here = setup.results()
    said = setup.run("run", "--input", "s3://penguins/all")
    assert "Left out, as hidden: _SUCCESS." in said
    assert "344 rows from s3://penguins/all/year=2007/a b.csv, s3://penguins/all/year=2008/a.parquet, " in said
    assert setup.results() == here
    said = setup.made.compose("run", "--rm", "adopt", "s3://penguins/all", "--target", "species", "--force")
    assert "\nPIPELINE_INPUT=s3://penguins/all\n" in (setup.made.path / ".env").read_text()
    assert "344 rows from s3://penguins/all/" in setup.run()


def test_what_a_store_refuses_is_told_with_the_setting_to_change(setup) -> None:
    url = f"http://{setup.gateway}:{setup.wire.port}"
    setup.set(AWS_ENDPOINT_URL=url)
    assert "Good: 344 rows in 1 file." in setup.run("check", "--input", "s3://public/one.csv")
    keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in .env."
    folder = "s3://penguins/all cannot be read"
    assert f"Error: {folder} without a key. Set {keys}\n" in setup.run("check", "--input", "s3://penguins/all", code=3)
    setup.set(**KEYS | {"AWS_SECRET_ACCESS_KEY": "wrong"}, AWS_ENDPOINT_URL=url)
    said = setup.run("check", "--input", "s3://penguins/all", code=3)
    assert f"Error: {folder}: access is denied (SignatureDoesNotMatch). Correct {keys}\n" in said
    setup.set(**KEYS, AWS_ENDPOINT_URL=url)
    said = setup.run("check", "--input", "s3://none/all", code=3)
    assert "Error: s3://none/all cannot be read: the bucket none does not exist. Correct the address: PIPELINE_" in said
    said = setup.run("check", "--input", "s3://penguins/none.csv", code=3)
    assert "Error: s3://penguins/none.csv does not exist. Correct the address: PIPELINE_INPUT in .env.\n" in said


def test_a_certificate_of_an_own_authority_is_a_setting(setup, tmp_path: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=store"]
    command += ["-addext", f"subjectAltName=IP:{setup.gateway}", "-addext", "basicConstraints=critical,CA:FALSE"]
    certificate = setup.made.path / "data/ca.pem"
    subprocess.run([*command, "-keyout", tmp_path / "key", "-out", certificate], check=True, capture_output=True)
    (tmp_path / "both").write_text((tmp_path / "key").read_text() + certificate.read_text())
    wire = s3.Wire(setup.gateway, setup.store.port, tmp_path / "both")
    setup.set(**KEYS, AWS_ENDPOINT_URL=f"https://{setup.gateway}:{wire.port}")
    said = setup.run("check", "--input", "s3://penguins/all", code=3)
    assert "the certificate of its server is not trusted (UnknownIssuer). Set STORAGE_CA_FILE in .env to a file" in said
    setup.set(**KEYS, AWS_ENDPOINT_URL=f"https://{setup.gateway}:{wire.port}", STORAGE_CA_FILE="data/ca.pem")
    assert "Good: 344 rows in 3 files." in setup.run("check", "--input", "s3://penguins/all")
    wire.close()


def test_a_network_that_is_cut_for_20_seconds_in_mid_read_is_waited_for(setup) -> None:
    setup.set(**KEYS, AWS_ENDPOINT_URL=f"http://{setup.gateway}:{setup.wire.port}")
    cuts = setup.wire.cuts
    setup.wire.cut(10_000_000, seconds=20)
    said = setup.run("check", "--input", "s3://penguins/large.csv")
    assert setup.wire.cuts == cuts + 1
    assert "Note: s3://penguins/large.csv cannot be read: the connection is cut. Trying again for 30 seconds." in said
    assert "Good: 688000 rows in 1 file." in said


def test_a_network_that_stays_cut_ends_the_run_and_keeps_the_last_results(setup) -> None:
    setup.set(**KEYS, AWS_ENDPOINT_URL=f"http://{setup.gateway}:{setup.wire.port}")
    setup.run("run", "--input", "data/all")
    before, start = setup.made.results(), time.monotonic()
    setup.wire.cut(10_000_000, seconds=300)
    said = setup.run("run", "--input", "s3://penguins/large.csv", code=3)
    setup.wire.heal()
    assert "Check the network; OUTBOUND=true in .env lets the pipeline reach other machines." in said
    assert 30 < time.monotonic() - start < 60
    assert setup.made.results() == before
