ENV VIRTUAL_ENV=/opt/venv \
    PYTHONPATH={{ cookiecutter.__lab_folder }}/src \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR {{ cookiecutter.__lab_folder }}
# The project's Python: the image's own where it has this version, else uv brings it (from a mirror, if .env names one).
ARG UV_PYTHON_INSTALL_MIRROR
ARG UV_CACHE_DIR=/root/.cache/uv
RUN --mount=type=bind,from=uv,source=/uv,target=/usr/local/bin/uv \
    --mount=type=cache,target=/root/.cache/uv \
    UV_PYTHON_INSTALL_DIR=/opt/python uv venv --python {{ cookiecutter.python_version }} /opt/venv
#% set lock = 'lab'
{% include 'install.Dockerfile' %}
# This environment is the kernel `python3`, before the image's own, so that a notebook runs unchanged in any lab;
# kernels of other languages stay, for tests too.
# Terminals start in it.
RUN /opt/venv/bin/python -m ipykernel install --prefix /opt/kernel --env PATH "/opt/venv/bin:\${PATH}" \
      --display-name "Python {{ cookiecutter.python_version }} ({{ cookiecutter.project_slug }})" \
    && echo "PATH=/opt/venv/bin:\$PATH" >/etc/profile.d/venv.sh \
    && git config --system --add safe.directory {{ cookiecutter.__lab_folder }}
ENV JUPYTER_PATH=/opt/kernel/share/jupyter:/opt/conda/share/jupyter
