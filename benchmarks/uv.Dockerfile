# The recipe of uv's documentation: packages are installed in a first stage, with a cache, and copied into the second
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS builder
COPY --from=ghcr.io/astral-sh/uv:UV_VERSION /uv /bin/
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=0 VIRTUAL_ENV=/app/.venv
WORKDIR /app
RUN --mount=type=cache,id=CACHE,target=/root/.cache/uv \
    --mount=type=bind,source=requirements/lab.txt,target=lab.txt \
    uv venv /app/.venv && uv pip sync lab.txt
COPY . /app

FROM ${PYTHON_IMAGE}
COPY --from=builder /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app/src
