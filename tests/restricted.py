"""The Pod Security Standard `restricted`, as Kubernetes documents it, and what this project asks of pods beyond it."""

from collections.abc import Iterator

# Volumes that the standard allows
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"}
SYSCTLS |= {"net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"}
SYSCTLS |= {f"net.ipv4.tcp_{name}" for name in ("keepalive_time", "fin_timeout", "keepalive_intvl", "keepalive_probes")}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROFILES = {"RuntimeDefault", "Localhost"}


def containers(pod: dict) -> list[dict]:
    """Return all containers of a pod."""
    return [each for kind in ("initContainers", "containers", "ephemeralContainers") for each in pod.get(kind, [])]


def standard(pod: dict) -> Iterator[str]:
    """Say what the standard refuses in the specification of a pod."""
    own = pod.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"sets {key}"
    if {each["name"] for each in own.get("sysctls", [])} - SYSCTLS:
        yield "sets sysctls"
    for volume in pod.get("volumes", []):
        if not volume.keys() - {"name"} <= VOLUMES:
            yield f"has the volume {volume}"
    for context in (own, *(each.get("securityContext", {}) for each in containers(pod))):
        linux = context.get("seLinuxOptions", {})
        if linux.get("type") not in SELINUX or linux.get("user") or linux.get("role"):
            yield "sets options of SELinux"
        if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in PROFILES:
            yield "turns AppArmor off"
        if context.get("windowsOptions", {}).get("hostProcess"):
            yield "is a process of the host"
        if context.get("runAsUser") == 0:
            yield "runs as root"
    for container in containers(pod):
        context = container.get("securityContext", {})
        capabilities = context.get("capabilities", {})
        if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
            yield "can gain privileges"
        if capabilities.get("drop") != ["ALL"] or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
            yield "keeps capabilities"
        if context.get("procMount", "Default") != "Default":
            yield "sees all of /proc"
        if context.get("runAsNonRoot", own.get("runAsNonRoot")) is not True:
            yield "may run as root"
        if context.get("seccompProfile", own.get("seccompProfile", {})).get("type") not in PROFILES:
            yield "has no seccomp profile"
        if any(port.get("hostPort") for port in container.get("ports", [])):
            yield "takes a port of the host"


def beyond(pod: dict) -> Iterator[str]:
    """Say what else is missing in the specification of a pod."""
    if pod.get("automountServiceAccountToken") is not False:
        yield "can ask the API server"
    if pod.get("enableServiceLinks") is not False:
        yield "gets variables with addresses"
    if pod.get("shareProcessNamespace") is not True:
        yield "has no init"
    for container in containers(pod):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield "can write to its root file system"
        for kind in ("requests", "limits"):
            if {*container.get("resources", {}).get(kind, {})} != {"cpu", "memory"}:
                yield f"has no {kind}"
        if not any(mount["mountPath"] == "/tmp" for mount in container.get("volumeMounts", [])):
            yield "has no /tmp"
