"""Tables in the forms of other programs; each is read as the same rows, or refused with its cause."""

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
from my_project import data, formats
from my_project.errors import ColumnError, InputError, PipelineError
from my_project.table import COLUMNS

FORMS = {  # the sample in other forms, and what is said about it
    "semicolons": (lambda text: text.replace(",", ";").encode(), "its separator is ;"),
    "tabs": (lambda text: text.replace(",", "\t").encode(), "its separator is a tab"),
    "as Excel in Europe": (
        lambda text: ("sep=;\n" + text.replace(",", ";").replace(".", ",")).encode("utf-16"),
        "its encoding is UTF-16",
    ),
    "old line ends": (lambda text: text.replace("\n", "\r").encode(), ""),
    "Windows line ends and a mark": (lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"), ""),
    "empty lines": (lambda text: text.replace("\n", "\n\n").encode() + b",,,,,,,\n  \n", ""),
    "blanks": (lambda text: text.replace(",", ", ").encode(), ""),
    "other numbers": (lambda text: text.replace(",NA", ",NaN").replace(",2007", ",2007.0").encode(), ""),
    "bz2": (lambda text: bz2.compress(text.encode()), ""),
    "xz": (lambda text: lzma.compress(text.encode()), ""),
}


@pytest.mark.parametrize("size", [data.BYTES, 700], ids=["whole", "in pieces"])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_another_form_reads_the_same(tmp_path, monkeypatch, caplog, form, size) -> None:
    write, said = FORMS[form]
    for module in (data, formats):
        monkeypatch.setattr(module, "BYTES", size)
    path = tmp_path / "form.csv"
    path.write_bytes(write(data.SAMPLE.read_text()))
    assert data.read(path)[0].equals(data.read()[0])
    assert said in " ".join(caplog.messages)


def test_a_name_that_is_not_utf8_is_read_and_shown(run, tmp_path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    Path(os.fsdecode(path)).write_bytes(data.SAMPLE.read_bytes())
    done = run("run", "--input", os.fsdecode(path))
    assert (done.code, r"caf\xe9.csv" in done.err) == (0, True)


LINE = "Adelie;Torgersen;39.1;18.7;181;3750;male;2007"
HEADER = ";".join(COLUMNS)
REFUSED = {  # the file, what it is, and what is said
    "semicolons.csv": (
        HEADER.replace(";sex", "").encode(),
        ColumnError,
        ", whose separator looks like ;, lacks 1 column: sex",
    ),
    "short.csv": (f"{HEADER}\n{LINE}\n{LINE[:-5]}\n".encode(), InputError, ", line 3: fields: 7, but in the header: 8"),
    "latin.csv": (
        f"{HEADER}\n{LINE}\nAd\u00e9lie\n".encode("latin-1"),
        InputError,
        ", line 3: this is not UTF-8, but perhaps",
    ),
    "sheet.csv": (b"PK\x03\x04", InputError, " is a ZIP archive or an Excel file"),
    "page.csv": (b"<!DOCTYPE html>", InputError, " is a web page or XML"),
    "pointer.parquet": (b"version https://git-lfs", InputError, " is a pointer of Git LFS"),
    "cut.csv.gz": (gzip.compress(data.SAMPLE.read_bytes())[:1000], InputError, " cannot be decompressed"),
    "no-mark.csv": (data.SAMPLE.read_text().encode("utf-16-le"), InputError, " is UTF-16 without a mark"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_for_sure_is_refused_with_its_cause(tmp_path, name) -> None:
    content, kind, said = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PipelineError) as caught:
        data.read(tmp_path / name)
    assert (type(caught.value), said in str(caught.value)) == (kind, True), caught.value
