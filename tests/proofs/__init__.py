"""What each service of a generated project must prove on the engine: one module a service, of the service's name.

A module has two functions. `before(stack)` uses the service. Then all services are stopped and started again, and
`after(stack, kept)`, which gets what `before` returned, says in its return value what was proved.
"""

import importlib
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent


def of(service: str) -> ModuleType:
    """Return the proof of a service. Raises AssertionError with the name of the file that is missing."""
    file = f"tests/proofs/{service}.py with before(stack) and after(stack, kept)"
    assert (FOLDER / f"{service}.py").exists(), f"the service {service} has no proof: write {file}"
    return importlib.import_module(f"proofs.{service}")
