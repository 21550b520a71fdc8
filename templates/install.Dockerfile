#% if only is defined
# hadolint ignore=SC2046
#% endif
RUN --mount=type=bind,from=uv,source=/opt/uv/bin/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=requirements/{{ lock }}.txt,target=/tmp/{{ lock }}.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=package_index,env=UV_DEFAULT_INDEX \
    --mount=type=secret,id=extra_index,env=UV_INDEX \
#% if only is defined
    uv pip install --require-hashes --index-strategy unsafe-best-match --compile-bytecode --link-mode copy \
      --constraints /tmp/{{ lock }}.txt $(grep -oE "^({{ only | join('|') }})==[^ ]+" /tmp/{{ lock }}.txt)
#% else
    uv pip sync --require-hashes --index-strategy unsafe-best-match --compile-bytecode --link-mode copy /tmp/{{ lock }}.txt \
    && cp /tmp/{{ lock }}.txt /opt/venv/
#% endif
