def _gpus() -> Findings:
    if "compose.gpu.yaml" in KNOWN.get("COMPOSE_FILE", ""):  # as older versions of this project switched them on
        yield "COMPOSE_FILE names compose.gpu.yaml.", "In .env, delete COMPOSE_FILE and set ACCELERATOR=gpu."
    devices = [*(INFO.get("Runtimes") or {}), *(each.get("ID", "") for each in INFO.get("DiscoveredDevices") or [])]
    # the engine looks for this program, even if no runtime is set up
    known = any("nvidia" in each for each in devices) or shutil.which("nvidia-container-runtime-hook")
    if SETTINGS["ACCELERATOR"] == "gpu" and not known:
        install = "Install the NVIDIA Container Toolkit and restart Docker"
        yield "Docker cannot use any.", f"{install}; to go without, set ACCELERATOR=cpu in .env."


CHECKS.append(("GPUs, if .env asks for them", bool(INFO) and not INSIDE, _gpus))
