"""What the images are built from, and what is in them, whatever was chosen."""

import json
import re
import subprocess
import uuid

import pytest
from stack import Stack, project
from template import HOSTILE

pytestmark = pytest.mark.usefixtures("engine")


def test_an_edit_of_the_code_is_one_new_layer(default) -> None:
    default.compose("build", "process")
    source = default.path / "src" / default.package / "model.py"
    source.write_text(f"{source.read_text()}# {uuid.uuid4()}\n")
    said = default.compose("build", "--progress", "plain", "process")
    cached = set(re.findall(r"^#(\d+) CACHED$", said, re.MULTILINE))
    steps = dict(re.findall(r"^#(\d+) \[\S+ +\d+/\d+\] (.+)$", said, re.MULTILINE))
    assert [step for number, step in steps.items() if number not in cached and "FROM" not in step] == ["COPY src src"]


def test_labels_carry_hostile_text_unchanged(bake, tmp_path) -> None:
    texts = ["""quotes " ' ` \\ and $HOME ${PATH} # \U0001f427""", *HOSTILE]
    tag = f"dsd-labels-{uuid.uuid4().hex[:8]}"
    for text in texts:
        baked = bake(project_slug="labels", project_name=text, description=text, author_name=text)
        label = re.search(r"^LABEL (?:.*\\\n)*.*", baked.text("Dockerfile"), re.MULTILINE)[0]
        stack = Stack(tmp_path)
        (tmp_path / "Dockerfile").write_text(f"FROM scratch\n{label}\n")
        stack.run("docker", "build", "--quiet", "--tag", tag, ".")
        labels = json.loads(stack.run("docker", "inspect", tag))[0]["Config"]["Labels"]
        stack.run("docker", "image", "rm", tag)
        assert labels["org.opencontainers.image.description"] == text
        assert labels["org.opencontainers.image.title"] == "labels"


def test_a_fork_sets_its_certificate_and_index_in_one_place(bake, fork, tmp_path) -> None:
    made_by = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Example CA"]
    subprocess.run([*made_by, "-keyout", tmp_path / "key", "-out", tmp_path / "ca"], check=True, capture_output=True)
    certificate = (tmp_path / "ca").read_text().strip()
    options = fork / "cookiecutter.json"
    context = json.loads(options.read_text())
    context["_organisation"] |= {"package_index": "https://index.example/simple", "ca_certificates": [certificate]}
    options.write_text(json.dumps(context))
    baked = bake(template=fork)
    assert "PACKAGE_INDEX=https://index.example/simple" in baked.text(".env")
    image = f"dsd-fork-{uuid.uuid4().hex[:8]}"
    stack = Stack(baked.path)
    try:
        stack.run("docker", "build", "--quiet", "--target", "base", "--tag", image, ".")
        assert certificate in stack.run("docker", "run", "--rm", image, "cat", "/etc/ssl/certs/ca-certificates.crt")
    finally:
        stack.run("docker", "image", "rm", "--force", image)


@pytest.mark.parametrize(
    ("tracking", "image", "lock", "package"),
    [("none", "process", "process", "humanize==4.0.0"), ("mlflow", "mlflow", "lab", "mlflow==2.9.0")],
)
def test_a_password_of_the_package_index_is_used_and_not_shown(bake, tmp_path, tracking, image, lock, package) -> None:
    made = project(bake, tmp_path, tracking=tracking)
    env = made.path / ".env"
    index = "PACKAGE_INDEX=https://me:s3cret-of-the-index@127.0.0.1:9/simple"
    env.write_text(env.read_text().replace("PACKAGE_INDEX=", index))
    # a package that no cache has: the build must ask the index, where nothing listens
    (made.path / f"requirements/{lock}.txt").write_text(f"{package} --hash=sha256:{'0' * 64}\n")
    try:
        said = made.compose("build", "--progress", "plain", image, code=1)
        assert "127.0.0.1" in said
        assert "s3cret" not in said
    finally:
        made.remove()
