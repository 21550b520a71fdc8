"""What kubectl makes of a project's manifests, and checks of that. Each check yields sentences on what is wrong.

No cluster is needed, and none is asked: these checks cannot tell whether a cluster admits the pods, and what these do.
"""

import functools
import io
import itertools
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import kubernetes_validate
import kubernetes_validate.utils
import restricted
from baking import Baked
from checks import PROXIES, STORAGE, documents, env_settings, failing, parsed

from local_extensions import choices

OPERATOR = "dask-kubernetes==2026.3.0"  # has the schema of its resource
RELEASES = ("1.30", kubernetes_validate.latest_version())  # of Kubernetes: the oldest that works, and the newest
PUBLISHED = "registry.example.com/team/project"
Problems = Iterator[str]

kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


class Pod(dict):
    """The specification of a pod."""

    def __init__(self, name: str, template: dict) -> None:
        """Take the template of a workload."""
        super().__init__(template["spec"])
        self.name, self.labels = name, template["metadata"]["labels"]


@dataclass
class Manifests:
    """A project, and the objects that an overlay of it has."""

    baked: Baked
    overlay: str
    objects: list[dict]

    def of(self, *kinds: str) -> list[dict]:
        """Return the objects of some kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    @property
    def pods(self) -> dict[str, Pod]:
        """Return the pods by the names of their workloads; those of the Dask operator by their roles."""
        found = {each["metadata"]["name"]: each["spec"]["template"] for each in self.of("Deployment")}
        found |= {
            each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"]["template"] for each in self.of("CronJob")
        }
        for cluster in self.of("DaskCluster"):
            found |= {role: cluster["spec"][role] for role in ("scheduler", "worker")}
        return {name: Pod(name, template) for name, template in found.items()}

    def named(self, kind: str) -> dict[str, dict]:
        """Return the objects of a kind by their names."""
        return {each["metadata"]["name"]: each for each in self.of(kind)}


def build(folder: Path) -> list[dict]:
    """Return the objects that kubectl makes of a folder. Raises AssertionError with what it says if it refuses that."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kustomize refuses {folder}: {done.stderr}"
    return documents(done.stdout.encode())


def overlays(project: Path) -> Iterator[tuple[str, list[dict]]]:
    """Yield each overlay and its objects, also with all components: `trial`, and with an operator's if there is one."""
    folder = project / "deploy/kubernetes"
    build(folder / "base")
    for name in ("staging", "production"):
        yield name, build(folder / "overlays" / name)
    known = {file.parent.name for file in folder.glob("components/*/kustomization.yaml")}
    operators = {name for name in known if name.endswith("-operator")}
    with tempfile.TemporaryDirectory(dir=folder / "overlays") as made:
        for name, used in {"trial": known - operators, **({"operator": known} if operators else {})}.items():
            text = (folder / "overlays/production/kustomization.yaml").read_text()
            listed = ", ".join(f"../../components/{each}" for each in sorted(used))
            changed = text.replace("components: []", f"components: [{listed}]")
            assert changed != text
            Path(made, "kustomization.yaml").write_text(changed)
            Path(made, "settings.env").write_bytes((folder / "overlays/production/settings.env").read_bytes())
            yield name, build(Path(made))


# ---- the checks


@functools.cache
def operators_schema() -> dict:
    """Return the schema of the Dask operator's resource, in which unknown fields are refused."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, OPERATOR]
        subprocess.run(command, check=True, capture_output=True)
        (wheel,) = Path(folder).iterdir()
        archive = zipfile.ZipFile(io.BytesIO(wheel.read_bytes()))
    (file,) = (name for name in archive.namelist() if name.endswith("/crds/daskcluster.yaml"))
    (version,) = parsed(archive.read(file))["spec"]["versions"]
    assert version["name"] == "v1"

    def strict(schema: object) -> object:
        if isinstance(schema, list):
            return [strict(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        found = {key: strict(value) for key, value in schema.items()}
        closed = isinstance(found.get("properties"), dict) and "additionalProperties" not in found
        return found | ({"additionalProperties": False} if closed else {})

    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {"const": "kubernetes.dask.org/v1"}, "kind": {}, "metadata": {}}
    return schema


@functools.cache
def faults(text: str) -> list[str]:
    """Say what is wrong with an object by the published schemas, from its JSON."""
    each = json.loads(text)
    found = []
    for release in RELEASES:
        try:
            if each["apiVersion"].endswith(".dask.org/v1"):
                jsonschema.validate(each, operators_schema())
            else:
                kubernetes_validate.validate(each, release, strict=True)
        except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
            found.append(f"{'.'.join(map(str, error.path))}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(error.message)
    return found


def valid(made: Manifests) -> Problems:
    """Every object keeps the published schema of its kind, without unknown fields."""
    for each in made.objects:
        namespace = each["metadata"].get("namespace")
        if not re.fullmatch(r"[a-z0-9-]{1,63}", namespace or ""):
            yield f"{each['kind']} {each['metadata']['name']} is in the namespace {namespace}"
        alike = each | {"metadata": each["metadata"] | {"namespace": "any"}}  # so that each is checked once
        for fault in faults(json.dumps(alike, sort_keys=True)):
            yield f"{each['kind']} {each['metadata']['name']}, {fault}"


def confined(made: Manifests) -> Problems:
    """Pods meet the Pod Security Standard `restricted`, and have limits, no token and a root that is read-only."""
    for name, pod in made.pods.items():
        for problem in (*restricted.standard(pod), *restricted.beyond(pod)):
            yield f"{name} {problem}"


def connected(made: Manifests) -> Problems:
    """Whatever an object names is there: settings, claims, pods, workloads, ports. No Secret is in a manifest."""
    settings, claims, pods = made.named("ConfigMap"), made.named("PersistentVolumeClaim"), made.pods
    if made.of("Secret"):
        yield "a Secret is in a manifest"
    for name, pod in pods.items():
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for volume in volumes.values():
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and claim not in claims:
                yield f"{name} mounts {claim}, which no claim is called"
        for container in pod["containers"]:
            for mount in container["volumeMounts"]:
                if mount["name"] not in volumes:
                    yield f"{name} mounts {mount['name']}, which is not one of its volumes"
            for source in container.get("envFrom", []):
                if source.get("configMapRef", {}).get("name", next(iter(settings))) not in settings:
                    yield f"{name} takes settings from {source}, which is not there"
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {}).get("configMapKeyRef")
                if reference and reference["key"] not in settings.get(reference["name"], {}).get("data", {}):
                    yield f"{name} takes {variable['name']} from {reference}, which is not there"
                if "value" in variable and re.search("PASSWORD|TOKEN|SECRET|_KEY$", variable["name"]):
                    yield f"{name} has the secret {variable['name']} in its manifest"
            ports = {port["name"] for port in container.get("ports", [])}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container.get(kind, {}).get("httpGet", {}).get("port")
                if container.get("ports") and (kind not in container or (asked and asked not in ports)):
                    yield f"{name} has no good {kind}"
    deployed = {name: pod for name, pod in pods.items() if name in made.named("Deployment")}
    for service in made.of("Service"):
        chosen = [pod for pod in deployed.values() if service["spec"]["selector"].items() <= pod.labels.items()]
        ports = {port["name"] for pod in chosen for port in pod["containers"][0]["ports"]}
        if len(chosen) != 1 or not {port["targetPort"] for port in service["spec"]["ports"]} <= ports:
            yield f"Service {service['metadata']['name']} leads to no port of a pod"
    for each in made.of("Deployment", "PodDisruptionBudget"):
        wanted = each["spec"]["selector"]["matchLabels"]
        if [name for name, pod in deployed.items() if wanted.items() <= pod.labels.items()] != [
            each["metadata"]["name"]
        ]:
            yield f"{each['kind']} {each['metadata']['name']} selects other pods"
    for each in made.of("HorizontalPodAutoscaler"):
        if each["spec"]["scaleTargetRef"]["name"] not in deployed:
            yield f"HorizontalPodAutoscaler {each['metadata']['name']} scales nothing"
    for served in choices.served(made.baked.context):
        if served in deployed and made.overlay in ("staging", "production"):
            for kind in ("Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
                if served not in made.named(kind):
                    yield f"{served} has no {kind}"


def selects(peer: dict, pod: Pod) -> bool:
    """Say whether a selector of a policy is about a pod."""
    return peer.get("podSelector", peer).get("matchLabels", {}).items() <= pod.labels.items()


def allowed(policies: list[dict], pod: Pod, way: str) -> list[dict] | None:
    """Return the rules for a pod in a direction; None: all is allowed."""
    about = [policy["spec"] for policy in policies if selects({"podSelector": policy["spec"]["podSelector"]}, pod)]
    about = [spec for spec in about if way in spec["policyTypes"]]
    return [rule for spec in about for rule in spec.get(way.lower(), [])] if about else None


def fits(rule: dict, key: str, other: Pod, server: Pod) -> bool:
    """Say whether a rule lets a pod and another one talk, on a port that the server has."""
    peers = rule.get(key)
    ports = {
        port for each in server["containers"][0].get("ports", []) for port in (each["name"], each["containerPort"])
    }
    named = {port["port"] for port in rule.get("ports", [])}
    own = peers is None or any("podSelector" in peer and selects(peer, other) for peer in peers)
    return own and (not named or bool(named & ports))


def parted(made: Manifests) -> Problems:
    """Pods reach those that Compose lets them reach, and no others; what people open is reached by the ingress only."""
    pods, policies = made.pods, made.of("NetworkPolicy")
    expected = set()
    for server in choices.brought(made.baked.context, "service"):
        users = [*server["before"], *server.get("also", [])]
        expected |= {("pipeline" if user == "process" else user, server["name"]) for user in users}
    if "worker" in pods:
        expected |= {("scheduler", "worker"), ("worker", "worker")}
    expected = {each for each in expected if {*each} <= pods.keys()}
    for way, key in (("Egress", "to"), ("Ingress", "from")):
        found = set()
        for (source, client), (target, server) in itertools.product(pods.items(), repeat=2):
            rules = allowed(policies, *((client, way) if way == "Egress" else (server, way)))
            if rules is None or any(fits(rule, key, server if way == "Egress" else client, server) for rule in rules):
                found.add((source, target))
        for client, server in sorted(found - expected):
            yield f"{way} lets {client} reach {server}"
        for client, server in sorted(expected - found):
            yield f"{way} keeps {client} from {server}"
    labels = [{"namespaceSelector": {"matchLabels": {"ingress-controller": "true"}}}]
    for name, pod in pods.items():
        outside = [
            rule.get("from") for rule in allowed(policies, pod, "Ingress") or [] if "namespaceSelector" in str(rule)
        ]
        if outside != ([labels] if name in made.named("PodDisruptionBudget") else []):
            yield f"{name} is reached from {outside}"
        anywhere = [rule for rule in allowed(policies, pod, "Egress") or [{}] if "to" not in rule]
        if any(not rule.get("ports") for rule in anywhere):
            yield f"{name} reaches all machines"


VALUE = re.compile(r"\$\{(\w+)(?:(:?[-+?])([^${}]*))?\}")


def interpolated(value: object, settings: dict[str, str]) -> str:
    """Return a value as Compose reads it with some settings."""

    def replace(match: re.Match) -> str:
        name, operator, word = match.groups()
        if operator and operator[-1] == "+":
            return word if settings.get(name) else ""
        return settings.get(name) or (word if operator and operator[-1] == "-" else "")

    text = str(value).lower() if isinstance(value, bool) else str(value if value is not None else "")
    while VALUE.search(text):
        text = VALUE.sub(replace, text)
    return text


def environment(made: Manifests, pod: Pod) -> dict[str, str]:
    """Return the variables of a pod; what comes from a Secret is `secret:` and its key there."""
    (container,) = pod["containers"]
    settings, found = made.named("ConfigMap"), {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= settings[source["configMapRef"]["name"]]["data"]
        else:
            assert source["secretRef"] == {"name": "input", "optional": True}
            found |= dict.fromkeys(STORAGE | PROXIES, "")
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        if reference := source.get("secretKeyRef"):
            value = f"secret:{reference['key']}"
        elif reference := source.get("configMapKeyRef"):
            value = settings[reference["name"]]["data"][reference["key"]]
        elif reference := source.get("resourceFieldRef"):
            value = container["resources"]["limits"][reference["resource"].removeprefix("limits.")]
        elif reference := source.get("fieldRef"):
            value = pod.labels[re.search(r"'(.+)'", reference["fieldPath"])[1]]
        else:
            value = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], variable["value"])
        found[variable["name"]] = value
    return found


def user_of(baked: Baked, stage: str) -> str:
    """Return the user of a stage of the Dockerfile, by its arguments' defaults; nothing if it sets none."""
    text = baked.text("Dockerfile")
    body = re.split(r"(?m)^FROM ", text.partition(f" AS {stage}\n")[2])[0]
    defaults = dict(re.findall(r"(?m)^ARG (\w+)=(\S+)$", body))
    users = re.findall(r"(?m)^USER (\S+)$", body)
    return interpolated(users[-1], defaults) if users else ""


def same_as_compose(made: Manifests) -> Problems:
    """Image, command, user, ports, probe, limits, schedule and environment are those of Compose and the Dockerfile."""
    baked = made.baked
    development, server = (parsed(baked.files[f"{folder}compose.yaml"]) for folder in ("", "production/"))
    settings = env_settings(baked.text("production/.env.example"))
    settings = {name: value.strip('"') for name, value in settings.items()}
    secrets = {name: f"secret:{name}" for name in settings if name.endswith("_PASSWORD")}
    settings |= secrets | {"IMAGE": PUBLISHED, "VERSION": "1.0.0"}
    for name, pod in made.pods.items():
        service = "process" if name == "pipeline" else name
        built = development["services"][service]["build"]["target"] if service in development["services"] else ""
        # servers of trials are those of development: production's get their users and passwords by another container
        body = (development if built != "process" else server)["services"][service]
        (container,) = pod["containers"]

        wanted = {
            "image": f"{PUBLISHED}{'' if built == 'process' else f'/{built}'}:1.0.0",
            "command": body.get("entrypoint"),
            "args": body.get("command"),
            "user": body.get("user") or user_of(baked, built),
            "limits": {
                "cpu": interpolated(body["cpus"], settings),
                "memory": interpolated(body["mem_limit"], settings),
            },
        }
        if "$" in wanted["user"]:
            wanted["user"] = user_of(baked, built)
        own = pod["securityContext"]
        found = {
            "image": container["image"],
            "command": container.get("command"),
            "args": container.get("args"),
            "user": f"{own['runAsUser']}:{own['runAsGroup']}",
            "limits": container["resources"]["limits"],
        }
        found["limits"] = {
            **found["limits"],
            "memory": re.sub("([GM])i", lambda unit: unit[1].lower(), found["limits"]["memory"]),
        }
        there = {  # a variable without a value gets that of .env
            key: settings.get(key, "") if value is None else interpolated(value, settings)
            for key, value in (body.get("environment") or {}).items()
        }
        for variable in (STORAGE | PROXIES) & there.keys():
            there[variable] = ""
        there.pop("no_proxy", None)  # there, it hides that of Docker's own settings
        health = there.pop("HEALTH", "")
        probe = container.get("livenessProbe", {})
        if health:
            port = next(
                each["containerPort"] for each in container["ports"] if each["name"] == probe["httpGet"]["port"]
            )
            wanted["health"], found["health"] = health, f"{port}{probe['httpGet']['path']}"
        elif "ports" in container:
            wanted["health"], found["health"] = body["healthcheck"]["test"][1:], probe["exec"]["command"]
        here = environment(made, pod)
        extra = {"VERSION", "ALLOWED_HOSTS"} - there.keys()  # for the folders of the results; for what is served
        wanted["variables"], found["variables"] = sorted(there), sorted(here.keys() - extra)
        if made.overlay == "trial":  # all servers are here, as in Compose
            differs = {"ALLOWED_HOSTS", "DASK_SCHEDULER_ADDRESS"}  # those of this machine; none by default
            # the run of each version shows its own results: no schedule keeps track of the last version that has some
            differs |= (
                {"PIPELINE_REPORTS"} if there.get("PIPELINE_REPORTS", "").startswith("/app/results/current") else set()
            )
            for variable in sorted(there.keys() & here.keys() - differs):
                wanted[variable], found[variable] = there[variable], here[variable]
        for key, value in wanted.items():
            if found[key] != value:
                yield f"{name} has {key} {found[key]!r}, Compose {value!r}"
    (cron,) = made.of("CronJob")
    times = interpolated(server["services"]["schedule"]["environment"]["SCHEDULE_RUN"], {})
    if cron["spec"]["schedule"] != times:
        yield f"the pipeline starts at {cron['spec']['schedule']}, in Compose at {times}"


CHECKS = [valid, confined, connected, parted, same_as_compose]


def problems(made: Manifests) -> dict[str, list[str]]:
    """Return what each check that fails has to say."""
    return failing(CHECKS, made)
