"""The manifests of a project with Kubernetes, checked by kubectl and by the published schemas, without a cluster."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import checks
import pytest
import restricted
import shown
from manifests import CHECKS, Manifests, build, overlays, problems
from needs import need, need_answer
from programs import git, run
from template import CHOICES, ROOT, SHAPING, covering, name, variants
from test_tools import YAMLLINT

pytestmark = pytest.mark.usefixtures("kubectl")

# Each pair of choices that bring something to the manifests, with the defaults of all other options
BRINGING = [option for option in SHAPING if [*(ROOT / "templates" / option).glob("*/kubernetes.*")]]
OTHERS = [option for option in CHOICES if option not in BRINGING]
PLAIN = [row for row in variants() if all(row[option] == CHOICES[option][0] for option in OTHERS)]
ROWS = [row | {"kubernetes": "yes"} for row in covering(PLAIN, BRINGING)] if "yes" in CHOICES["kubernetes"] else []
FULL = max(PLAIN, key=lambda row: (sum(row[each] != CHOICES[each][0] for each in BRINGING), row["deploy"] == "api"))
FULL = FULL | {"kubernetes": "yes"}


@pytest.fixture(scope="session")
def kubectl() -> None:
    """Need kubectl with a kustomize that knows all that the manifests use."""
    need_answer("kubectl", "version", "--client")
    version = json.loads(run(ROOT, "kubectl", "version", "--client", "--output=json")).get("kustomizeVersion", "v0.0")
    if [int(part) for part in version[1:].split(".")[:2]] < [5, 5]:
        need(f"kubectl has kustomize {version}, not 5.5 or newer, as kubectl 1.32 has")


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_manifests_of_each_pair_of_choices(bake, row) -> None:
    baked = bake(**row)
    assert checks.problems(baked) == {}
    run(ROOT, "yamllint", "--strict", "--config-data", YAMLLINT, baked.path / "deploy")
    for overlay, objects in overlays(baked.path):
        found = problems(Manifests(baked, overlay, objects))
        assert not found, f"{overlay} of {name(row)}: {found}"


class Defect(NamedTuple):
    """A mistake in a manifest, and the check that must catch it; the file is below deploy/kubernetes/."""

    check: str
    file: str
    old: str
    new: str


BASE, DATABASE, MLFLOW = (
    "base/workloads.yaml",
    "components/trial-database/db.yaml",
    "components/trial-mlflow/mlflow.yaml",
)
OPERATOR = "components/dask-operator/cluster.yaml"
OFFERED = {choice for choices in CHOICES.values() for choice in choices}
# By the choice that each needs
DEFECTS = {
    "yes": {
        "an unknown field": Defect("valid", BASE, "backoffLimit:", "backofLimit:"),
        "a number that is text": Defect("valid", BASE, "failedJobsHistoryLimit: 3", 'failedJobsHistoryLimit: "3"'),
        "an older version of an interface": Defect("valid", BASE, "batch/v1", "batch/v1beta1"),
        "a pod that may be root": Defect("confined", BASE, "runAsNonRoot: true", "runAsNonRoot: false"),
        "capabilities that are kept": Defect("confined", BASE, "drop: [ALL]", "drop: [NET_RAW]"),
        "a way to gain privileges": Defect("confined", BASE, "allowPrivilegeEscalation: false, ", ""),
        "no seccomp profile": Defect("confined", BASE, ", seccompProfile: {type: RuntimeDefault}", ""),
        "a folder of the node": Defect("confined", BASE, "emptyDir: {sizeLimit: 10Gi}", "hostPath: {path: /tmp}"),
        "the network of the node": Defect("confined", BASE, "shareProcessNamespace:", "hostNetwork:"),
        "no limits": Defect("confined", BASE, ", limits: {", ", more: {"),
        "a claim that is missing": Defect("connected", BASE, "claimName: data}", "claimName: date}"),
        "settings that are missing": Defect(
            "connected", BASE, "configMapRef: {name: settings}", "configMapRef: {name: s}"
        ),
        "a network for all": Defect("parted", BASE, "policyTypes: [Ingress, Egress]", "policyTypes: [Egress]"),
        "another setting": Defect("same_as_compose", "base/settings.env", "PIPELINE_SEED=0", "PIPELINE_SEED=1"),
        "a setting too many": Defect("same_as_compose", "base/runtime.env", "FORMAT=json", "FORMAT=json\nMORE=1"),
        "another time": Defect("same_as_compose", BASE, '"0 3 * * *"', '"0 4 * * *"'),
        "another limit": Defect("same_as_compose", BASE, 'limits: {cpu: "', 'limits: {cpu: "1'),
    },
    "postgres": {
        "a root that can be written": Defect("confined", DATABASE, "readOnlyRootFilesystem: true", "privileged: false"),
        "a password in a manifest": Defect(
            "connected",
            DATABASE,
            "valueFrom: {secretKeyRef: {name: database, key: POSTGRES_PASSWORD}}",
            "value: penguin",
        ),
        "a service that leads nowhere": Defect("connected", DATABASE, "targetPort: sql", "targetPort: http"),
        "a server that all reach": Defect("parted", DATABASE, 'matchLabels: {uses-db: "true"}', "matchLabels: {}"),
        "a server that none reaches": Defect("parted", BASE, "port: 5432", "port: 5433"),
        "a way to all machines": Defect("parted", BASE, "egress: [{ports: [{port: 5432}]}]", "egress: [{}]"),
        "another image": Defect("same_as_compose", BASE, "image: project\n", "image: project/db\n"),
        "another user": Defect("same_as_compose", DATABASE, "runAsUser: 999", "runAsUser: 1000"),
        "another password": Defect("same_as_compose", BASE, "key: POSTGRES_PASSWORD", "key: PASSWORD"),
    },
    "mlflow": {
        "a token of the cluster": Defect("confined", MLFLOW, "automountServiceAccountToken: false", "hostname: mlflow"),
        "another command": Defect(
            "same_as_compose", MLFLOW, "image: project/mlflow\n", "image: project/mlflow\n          args: [server]\n"
        ),
        "another port": Defect("same_as_compose", MLFLOW, "containerPort: 5000", "containerPort: 5001"),
        "another probe": Defect("same_as_compose", MLFLOW, "path: /health", "path: /"),
    },
    "dask": {
        "an unknown field of an operator": Defect("valid", OPERATOR, "replicas: 2", "replica: 2"),
        "a scheduler that all reach": Defect(
            "parted", BASE, 'matchLabels: {uses-scheduler: "true"}', "matchLabels: {}"
        ),
        "a worker without a root that is read-only": Defect("confined", OPERATOR, "readOnlyRootFilesystem: true, ", ""),
    },
}
TRIED = {name: defect for choice, found in DEFECTS.items() if choice in OFFERED for name, defect in found.items()}


@pytest.mark.parametrize("defect", TRIED.values(), ids=TRIED)
def test_a_defect_is_caught_by_the_check_named_for_it(bake, tmp_path, defect) -> None:
    baked = bake(**FULL)
    made = Path(shutil.copytree(baked.path, tmp_path / "made"))
    file = made / "deploy/kubernetes" / defect.file
    text = file.read_text()
    assert defect.old in text
    file.write_text(text.replace(defect.old, defect.new))
    assert any(defect.check in problems(Manifests(baked, *each)) for each in overlays(made))


def test_every_check_has_a_defect() -> None:
    tried = {defect.check for found in DEFECTS.values() for defect in found.values()}
    assert tried == {check.__name__ for check in CHECKS}


CONTEXT = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
GOOD = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize(
    ("pod", "container", "own", "says"),
    [
        ({}, {}, {}, []),
        ({}, {}, {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}, []),
        ({}, {}, {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}, ["keeps capabilities"]),
        ({}, {}, {"capabilities": {"drop": ["NET_RAW"]}}, ["keeps capabilities"]),
        ({}, {}, {"allowPrivilegeEscalation": True}, ["can gain privileges"]),
        ({}, {}, {"privileged": True}, ["can gain privileges"]),
        ({}, {}, {"runAsNonRoot": False}, ["may run as root"]),
        ({}, {}, {"runAsUser": 0}, ["runs as root"]),
        ({}, {}, {"seccompProfile": {"type": "Unconfined"}}, ["has no seccomp profile"]),
        ({}, {}, {"seLinuxOptions": {"type": "spc_t"}}, ["sets options of SELinux"]),
        ({}, {}, {"appArmorProfile": {"type": "Unconfined"}}, ["turns AppArmor off"]),
        ({}, {}, {"procMount": "Unmasked"}, ["sees all of /proc"]),
        ({}, {}, {"windowsOptions": {"hostProcess": True}}, ["is a process of the host"]),
        ({}, {"ports": [{"containerPort": 1, "hostPort": 1}]}, {}, ["takes a port of the host"]),
        ({"hostPID": True}, {}, {}, ["sets hostPID"]),
        ({"hostIPC": True}, {}, {}, ["sets hostIPC"]),
        ({"hostNetwork": True}, {}, {}, ["sets hostNetwork"]),
        (
            {"securityContext": CONTEXT | {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
            {},
            {},
            ["sets sysctls"],
        ),
        ({"volumes": [{"name": "a", "nfs": {}}]}, {}, {}, ["has the volume {'name': 'a', 'nfs': {}}"]),
        ({"initContainers": [{}]}, {}, {}, ["can gain privileges", "keeps capabilities"]),
    ],
)
def test_the_standard_is_as_kubernetes_documents_it(pod, container, own, says) -> None:
    whole = {"securityContext": CONTEXT, "containers": [{"securityContext": GOOD | own, **container}], **pod}
    assert list(restricted.standard(whole)) == says


@pytest.mark.parametrize("row", ROWS[:1], ids=name)
def test_what_kustomize_refuses_is_shown(bake, tmp_path, row) -> None:
    made = Path(shutil.copytree(bake(**row).path, tmp_path / "made"))
    (made / "deploy/kubernetes/base/workloads.yaml").unlink()
    with pytest.raises(AssertionError, match=r"kustomize refuses .*: .*workloads.yaml"):
        dict(overlays(made))


class Cluster:
    """Stands in for a cluster: it keeps what it is told, and fails where a cluster would miss something.

    kubectl itself builds the objects, and makes namespaces and secrets as far as it can alone. Nothing runs.
    """

    def __init__(self, project: Path) -> None:
        """Start empty."""
        self.project, self.objects = project, {("", "Namespace", "ingress-nginx"): {}}

    def kubectl(self, *words: object) -> dict:
        """Return the object that kubectl would send."""
        alone = ("--dry-run=client", "--output=yaml")
        return checks.parsed(run(self.project, "kubectl", *words, *alone, KUBECONFIG="/dev/null").encode())

    def add(self, each: dict) -> None:
        """Keep an object, in a namespace that is there."""
        space = each["metadata"].get("namespace", "")
        assert not space or ("", "Namespace", space) in self.objects, f"the namespace {space} is missing"
        self.objects[space, each["kind"], each["metadata"]["name"]] = each

    def do(self, line: str) -> None:
        """Do what a command says. Raises AssertionError if it needs what is not there."""
        program, *words = shlex.split(line)
        assert program == "kubectl"
        space = words[words.index("--namespace") + 1] if "--namespace" in words else ""
        named = [(kind, each) for kind, _, each in (word.partition("/") for word in words[1:3]) if each]
        match words:
            case ["apply", "-k", folder]:
                for each in build(self.project / folder):
                    self.add(each)
            case ["create", "namespace", _]:
                self.add(self.kubectl(*words))
            case ["create", "secret", "generic", *_]:
                self.add(self.kubectl(*words))
            case ["create", "job", job, source, "--namespace", _]:
                kind, _, cron = source.removeprefix("--from=").partition("/")
                assert kind == "cronjob"
                assert (space, "Job", job) not in self.objects
                spec = self.objects[space, "CronJob", cron]["spec"]["jobTemplate"]["spec"]
                self.add({"kind": "Job", "metadata": {"name": job, "namespace": space}, "spec": spec})
            case ["label", "namespace", other, label]:
                assert re.fullmatch(r"[\w./-]+=\w+", label)
                assert ("", "Namespace", other) in self.objects
            case ["wait" | "logs" | "rollout" | "port-forward", *_]:
                kinds = {"job": "Job", "deployment": "Deployment", "service": "Service"}
                assert named and all((space, kinds[kind], each) in self.objects for kind, each in named)
            case ["get", kinds, "--namespace", _]:
                assert set(kinds.split(",")) <= {"pods", "pvc"}
            case _:
                raise AssertionError(f"this test does not know: {line}")


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_commands_of_the_page_start_update_and_go_back(bake, tmp_path, row) -> None:
    made = Path(shutil.copytree(bake(**row).path, tmp_path / "made"))
    document = (made / "docs/kubernetes.md").read_text()
    shown.expect("a project's docs/kubernetes.md", document)
    keys = re.findall(r"`([A-Z_]+)=…`", document)
    (made / ".env.staging").write_text("".join(f"{key}=penguin\n" for key in keys))
    (made / ".env.input").write_text("AWS_ACCESS_KEY_ID=penguin\n")
    git(made, "init", "--quiet")
    assert git(made, "check-ignore", ".env.staging", ".env.input").split() == [".env.staging", ".env.input"]

    cluster = Cluster(made)
    update = next(command for command in shown.commands(document) if "create job version" in command)
    for command in shown.commands(document):
        if command.startswith("kubectl") and command != update:
            shown.run(cluster.do, document, command)
    (space,) = {space for space, kind, _ in cluster.objects if kind == "CronJob"}
    for each in [each for (_, kind, _), each in cluster.objects.items() if kind in ("CronJob", "Deployment")]:
        for key, secret in re.findall(r"'secretKeyRef': \{'key': '(\w+)', 'name': '(\w+)'", str(each)):
            assert key in cluster.objects[space, "Secret", secret]["data"]

    before = dict(cluster.objects)
    shown.apply_diffs(made, document)
    apply = next(command for command in shown.commands(document) if command.startswith("kubectl apply"))
    cluster.do(apply)
    shown.run(cluster.do, document, update)
    for job, version in (("first", "1.0.0"), ("version-1-1-0", "1.1.0")):
        template = cluster.objects[space, "Job", job]["spec"]["template"]
        assert template["spec"]["containers"][0]["image"].endswith(f":{version}")
        assert template["metadata"]["labels"]["app.kubernetes.io/version"] == version
    file = made / "deploy/kubernetes/overlays/staging/kustomization.yaml"
    file.write_text(file.read_text().replace('"1.1.0"', '"1.0.0"'))
    cluster.do(apply)
    assert {key: cluster.objects[key] for key in before} == before
