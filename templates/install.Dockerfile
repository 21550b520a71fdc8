RUN --mount=type=bind,from=uv,source=/opt/uv/bin/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=requirements/{{ lock }}.txt,target={{ lock }}.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=package_index,env=UV_DEFAULT_INDEX \
    uv pip sync --require-hashes --compile-bytecode --link-mode copy {{ lock }}.txt \
    && cp {{ lock }}.txt /opt/venv/
