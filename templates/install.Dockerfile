RUN --mount=type=bind,from=uv,source=/opt/uv/bin/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=requirements/{{ lock }}.txt,target=/tmp/{{ lock }}.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=package_index,env=UV_DEFAULT_INDEX \
    --mount=type=secret,id=extra_index,env=UV_INDEX \
    uv pip sync --require-hashes --index-strategy unsafe-best-match --compile-bytecode --link-mode copy /tmp/{{ lock }}.txt \
    && cp /tmp/{{ lock }}.txt /opt/venv/
