FROM packages AS lab
# Git, for the terminal in JupyterLab and for pre-commit; its version follows the base image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /app \
    && echo "PATH=/opt/venv/bin:\$PATH" >/etc/profile.d/venv.sh
#% set lock = 'lab'
{% include 'install.Dockerfile' %}
COPY docker/jupyter_server_config.py /etc/jupyter/
{% include 'lab/jupyterlab.Dockerfile' %}
