# JupyterLab asks nobody outside for news, and nobody inside whether it may.
RUN mkdir -p /etc/jupyter/labconfig \
    && echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' >/etc/jupyter/labconfig/page_config.json
# You, inside: the same numbers as on the host, so that every file you make is yours there too.
# --non-unique lets root (0) be that user; --no-log-init keeps a huge id from making a huge log file.
ARG HOST_UID=1000
ARG HOST_GID=1000
RUN groupadd --non-unique --gid "${HOST_GID}" lab \
    && useradd --non-unique --no-log-init --uid "${HOST_UID}" --gid "${HOST_GID}" --shell /bin/bash --create-home lab
#% if cookiecutter.tracking == 'mlflow'
# Where the server of the same packages keeps its runs
RUN install -d -o "${HOST_UID}" -g "${HOST_GID}" /mlflow
#% endif
ENV HOME=/home/lab SHELL=/bin/bash
USER ${HOST_UID}:${HOST_GID}
EXPOSE 8888
{% include 'lab/healthcheck.Dockerfile' %}
# 0.0.0.0 is inside the container only; compose.yaml decides what the host sees.
# --allow-root matters on hosts where you are root.
CMD ["jupyter", "lab", "--no-browser", "--allow-root", "--ip=0.0.0.0", "--port=8888"]
