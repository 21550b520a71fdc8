# Terminals get the project's Python too: conda's shell hook does not put its own before it
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv \
    CONDA_AUTO_ACTIVATE_BASE=false \
    PYTHONPATH={{ lab.folder }}/src \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    _RJEM_MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0
WORKDIR {{ lab.folder }}
# System libraries and compilers that packages need, in lab
# hadolint ignore=DL3008
# RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

# The project's Python: the base image's own if it has that version, else one that uv downloads
ARG UV_PYTHON_INSTALL_MIRROR
ARG UV_CACHE_DIR=/root/.cache/uv
RUN --mount=type=bind,from=uv,source=/opt/uv/bin/uv,target=/usr/local/bin/uv \
    --mount=type=cache,target=/root/.cache/uv \
    UV_PYTHON_INSTALL_DIR=/opt/python uv venv --python {{ cookiecutter.python_version }} /opt/venv
#% set lock = 'lab'
{% include 'install.Dockerfile' %}
{% include 'pip.Dockerfile' %}
# Register it as kernel `python3`, ahead of the image's; other kernels stay
RUN python -m ipykernel install --prefix /opt/kernel --env PATH "/opt/venv/bin:\${PATH}" \
      --display-name "Python {{ cookiecutter.python_version }} ({{ cookiecutter.project_slug }})" \
    && git config --system --add safe.directory {{ lab.folder }}
ENV JUPYTER_PATH=/opt/kernel/share/jupyter:/opt/conda/share/jupyter
