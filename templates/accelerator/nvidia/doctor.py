def _gpus() -> Findings:
    devices = [*(INFO.get("Runtimes") or {}), *(each.get("ID", "") for each in INFO.get("DiscoveredDevices") or [])]
    # the engine looks for this program, even if no runtime is set up
    known = any("nvidia" in each for each in devices) or shutil.which("nvidia-container-runtime-hook")
    if "compose.gpu.yaml" in SETTINGS.get("COMPOSE_FILE", "") and not known:
        install = "Install the NVIDIA Container Toolkit and restart Docker"
        yield "Docker cannot use any.", f"{install}; to go without, set COMPOSE_FILE=compose.yaml in .env."


CHECKS.append(("GPUs, if .env asks for them", bool(INFO) and not INSIDE, _gpus))
