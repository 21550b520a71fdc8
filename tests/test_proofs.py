"""Every service that a project starts has a proof for the engine."""

import proofs
import pytest
from checks import parsed
from template import variants


def test_every_service_has_a_proof(bake) -> None:
    for variant in variants():
        services = parsed(bake(**variant).files["compose.yaml"])["services"]
        for service, body in services.items():
            if "profiles" not in body and body.get("scale") != 0:
                assert callable(proofs.of(service).before)
                assert callable(proofs.of(service).after)


def test_a_missing_proof_is_named() -> None:
    with pytest.raises(AssertionError, match=r"the service queue has no proof: write tests/proofs/queue\.py"):
        proofs.of("queue")
