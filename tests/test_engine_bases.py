"""The labs as people use them, on every base image: shells, pip, Git over SSH, deleted files, other languages."""

import json
import re
from collections.abc import Iterator

import pytest
from stack import Stack, bring_python_within_reach, project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")

UID = 1000  # that of the first user of most machines, and of the user of Jupyter's images


@pytest.fixture(scope="module", params=CHOICES["dev_image"])
def lab(request, bake, tmp_path_factory) -> Iterator[Stack]:
    """Return a project whose lab runs, for each base image; it belongs to the user 1000."""
    made = project(bake, tmp_path_factory.mktemp("base"), dev_image=request.param, tracking=CHOICES["tracking"][-1])
    made.run("chown", "--recursive", f"{UID}:{UID}", ".")
    env = made.path / ".env"
    env.write_text(re.sub(r"HOST_(UID|GID)=\d+", rf"HOST_\1={UID}", env.read_text()))
    bring_python_within_reach(made)
    made.run("git", "init", "--quiet")
    made.run("chown", "--recursive", f"{UID}:{UID}", ".git")
    try:
        made.compose("up", "--wait")
        yield made
    finally:
        made.remove()


ASK = "for each in python pip pytest; do command -v $each; done; python -c 'import polars, sys; print(sys.prefix)'"


def test_every_shell_has_the_projects_python(lab) -> None:
    """Conda has no pytest and no polars, so that neither is found by luck."""
    wanted = [f"/opt/venv{each}" for each in ("/bin/python", "/bin/pip", "/bin/pytest", "")]
    shells = {
        "terminal": lab.in_terminal(ASK),
        "notebook": lab.in_kernel(f"!{ASK}"),
        **{
            options: lab.compose("exec", "--no-TTY", "lab", *options.split(), ASK)
            for options in ("bash -c", "bash -ic", "bash -lc", "bash -lic", "sh -c")
        },
    }
    for shell, said in shells.items():
        assert re.findall(r"/(?:opt|usr|home|root)/[\w./]+", said) == wanted, (shell, said)


def test_pip_says_what_adds_a_package(lab) -> None:
    said = lab.in_kernel("%pip install humanize", "!pip install 'humanize>=4' --quiet", "%pip list").replace("\r", "")
    assert "docker compose run --rm lock --add humanize\n" in said
    assert "docker compose run --rm lock --add 'humanize>=4'\n" in said
    assert re.search(r"^polars==\d", said, re.MULTILINE)
    assert lab.compose("exec", "lab", "pip", "install", "humanize", code=1).startswith("pip changes nothing here")


def test_git_pushes_with_a_key_of_the_labs_own_home(lab, tmp_path) -> None:
    """To a real server, on a network with the lab."""
    home = lab.compose("exec", "lab", "sh", "-c", "echo ~").strip()
    lab.in_terminal("test -e ~/.ssh/id_ed25519 || ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519")
    key = lab.compose("exec", "lab", "cat", f"{home}/.ssh/id_ed25519.pub").strip()
    tag = f"{lab.name}-git-server"
    (tmp_path / "Dockerfile").write_text(
        f"FROM {lab.base_images()['PYTHON_IMAGE']}\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends git openssh-server && mkdir -p /run/sshd\n"
        f"RUN install -d -m 700 /root/.ssh && echo '{key}' >/root/.ssh/authorized_keys && git init --bare /repository\n"
    )
    lab.run("docker", "build", "--quiet", "--tag", tag, tmp_path)
    lab.extra_images.append(tag)
    lab.run("docker", "network", "create", tag)
    try:
        lab.run("docker", "network", "connect", tag, f"{lab.name}-lab-1")
        server = ("--network", tag, "--network-alias", "git-server", tag, "/usr/sbin/sshd", "-D")
        lab.run("docker", "run", "--detach", "--rm", "--name", tag, *server)
        lab.in_terminal(
            "git add README.md && git -c user.name=A -c user.email=a@example.com commit -q --no-verify -m Start && "
            "export GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=accept-new' && "
            "git push -q root@git-server:/repository HEAD:main"
        )
        assert "Start" in lab.run("docker", "exec", tag, "git", "-C", "/repository", "log", "main", "--format=%s")
    finally:
        lab.run("docker", "rm", "--force", tag)
        lab.run("docker", "network", "disconnect", "--force", tag, f"{lab.name}-lab-1")
        lab.run("docker", "network", "rm", tag)


def test_a_deleted_file_is_gone(lab) -> None:
    (lab.path / "notebooks/junk.txt").write_text("x")
    token = lab.settings["JUPYTER_TOKEN"]
    lab.run("curl", "-sf", "-X", "DELETE", "-H", f"Authorization: token {token}", address(lab, "notebooks/junk.txt"))
    assert not (lab.path / "notebooks/junk.txt").exists()
    assert lab.run("find", ".", "-name", ".Trash*") == ""
    assert lab.compose("exec", "lab", "sh", "-c", "find ~ -name 'junk*' -o -name '*Trash*'").strip() == ""


def address(lab: Stack, path: str) -> str:
    """Return where Jupyter's server has a file."""
    return f"http://127.0.0.1:{lab.settings['JUPYTER_PORT']}/api/contents/{path}"


def test_no_key_and_no_settings_get_into_the_folder(lab) -> None:
    lab.in_terminal("git add --all")
    git = ("git", "-c", "safe.directory=*")
    names = lab.run(*git, "ls-files").splitlines()
    assert not [name for name in names if re.search(r"ssh|id_ed25519|workspace/|gitconfig", name)]
    assert [path for path in lab.path.rglob("*") if path.name.startswith("id_") or path.name == ".workspace"] == []
    for secret in (".ssh/id_ed25519", ".workspace/backup/.ssh/id_ed25519", ".Trash-1000/files/x"):
        assert secret in lab.run(*git, "check-ignore", secret)


def test_services_that_are_not_root_have_a_cache_of_their_own(lab) -> None:
    show = 'test -n "${XDG_CACHE_HOME:-$HOME}" && mkdir -p "${XDG_CACHE_HOME:-$HOME/.cache}/x"'
    lab.compose("run", "--rm", "--entrypoint", "sh", "test", "-c", show)
    lab.compose("exec", "mlflow", "sh", "-c", show)


def test_other_languages_add_their_packages(lab) -> None:
    if "JULIA_DEPOT_PATH" not in lab.compose("exec", "lab", "env"):
        return
    write = "touch /opt/conda/lib/R/library/x /opt/julia/logs/x && rm /opt/conda/lib/R/library/x /opt/julia/logs/x"
    lab.compose("exec", "lab", "sh", "-c", write)
    lab.compose("run", "--rm", "--entrypoint", "sh", "test", "-c", write)


def test_it_ends_whole_when_it_is_asked_to(lab) -> None:
    container = lab.container("lab")["Id"]
    lab.in_kernel("import time")
    lab.compose("stop", "lab")
    state = json.loads(lab.run("docker", "inspect", container))[0]["State"]
    assert state["ExitCode"] in (0, 143)
    assert "No problems found." in lab.run("python3", "docker/doctor.py")
    lab.compose("up", "--wait")


# ---- what only ml-workspace has

only = pytest.mark.parametrize("lab", [each for each in CHOICES["dev_image"] if each == "ml-workspace"], indirect=True)


def restart(lab: Stack) -> None:
    """Start the lab anew, with its home folder as it was left."""
    lab.compose("up", "--wait", "--force-recreate", "lab")


@only
def test_a_home_made_before_is_mended(lab) -> None:
    old = "git config --global http.sslVerify false; mkdir -p ~/.vnc ~/.workspace/tools; echo old >~/.vnc/passwd; "
    link = """echo '{"url_link": "/tools/vnc/?password=vncpassword"}' >~/.workspace/tools/01-novnc.json"""
    lab.compose("exec", "lab", "sh", "-c", old + link)
    restart(lab)
    assert lab.compose("exec", "lab", "git", "config", "--global", "--get", "http.sslVerify", code=1) == ""
    lab.compose("exec", "lab", "test", "!", "-e", "/root/.vnc/passwd")
    assert "password" not in lab.compose("exec", "lab", "cat", "/root/.workspace/tools/01-novnc.json")


@only
def test_the_desktops_password_is_no_constant(lab) -> None:
    shown_by_supervisord = "tr '\\0' '\\n' </proc/$(cat /var/run/supervisord.pid)/environ | sed -n s/^VNC_PW=//p"
    assert lab.compose("exec", "lab", "sh", "-c", shown_by_supervisord).strip() == lab.settings["JUPYTER_TOKEN"]


@only
def test_one_can_log_in_over_ssh(lab) -> None:
    ssh = "ssh -o StrictHostKeyChecking=accept-new root@localhost"
    assert "in" in lab.compose("exec", "lab", "sh", "-c", f"{ssh} echo in; {ssh} -tt 'echo terminal'")


@only
@pytest.mark.parametrize("token", [" False ", "", "  ", "TRUE", "<generated>"])
def test_a_token_that_would_let_everybody_in_is_refused(lab, token) -> None:
    said = lab.compose("run", "--rm", "--no-deps", "--env", f"JUPYTER_TOKEN={token}", "lab", code=1)
    assert "JUPYTER_TOKEN in .env would leave ml-workspace open." in said


@only
def test_a_home_of_another_image_is_found(lab) -> None:
    volume = f"{lab.name}-other"
    lab.run("docker", "volume", "create", volume)
    image, inside = f"{lab.name}-lab", ("--volume", f"{volume}:/root", "--env", "JUPYTER_TOKEN=x", "--user", "0:0")
    lab.run("docker", "run", "--rm", *inside, "--entrypoint", "sh", image, "-c", "rm -rf /root/.local; touch /root/x")
    try:
        said = lab.run("docker", "run", "--rm", *inside, "--env", "OMP_NUM_THREADS=1", image, code=1)
        assert "The volume lab-home is of another base image" in said
        assert "docker volume rm" in said
    finally:
        lab.run("docker", "volume", "rm", volume)
