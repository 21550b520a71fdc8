#% if cookiecutter.installer == 'uv'
RUN --mount=type=bind,from=uv,source=/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=requirements/{{ lock }}.txt,target={{ lock }}.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=package_index,env=UV_DEFAULT_INDEX \
    uv pip sync --require-hashes --compile-bytecode --link-mode copy {{ lock }}.txt
#% else
RUN --mount=type=bind,source=requirements/{{ lock }}.txt,target={{ lock }}.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=package_index,env=PIP_INDEX_URL \
    pip --python /opt/venv/bin/python install --require-hashes -r {{ lock }}.txt
#% endif
