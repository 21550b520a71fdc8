"""The least that answers with a project's model: no checks, no documentation. uvicorn serves it."""

import importlib
import json
import os

import joblib
import polars as pl

PACKAGE = os.environ["PACKAGE"]
model, schema, table = (importlib.import_module(f"{PACKAGE}.{name}") for name in ("model", "schema", "table"))
TYPES = {name: table.TYPES[name] for name in schema.FEATURES}
fitted = joblib.load("models/model.joblib")


async def app(scope, receive, send) -> None:
    """Answer each request with a prediction for each row of its body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = json.dumps(model.predict(fitted, pl.DataFrame(json.loads(body), TYPES)).to_dicts()).encode()
    length = (b"content-length", str(len(answer)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": answer})
