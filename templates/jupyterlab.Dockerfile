# Turn off JupyterLab's news feed and its opt-in prompt
RUN mkdir -p /etc/jupyter/labconfig \
    && echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' >/etc/jupyter/labconfig/page_config.json
{% include 'ids.Dockerfile' %}
# A user with your ids, so that files stay yours; --non-unique allows root, --no-log-init keeps a log small for a huge uid
RUN groupadd --non-unique --gid "${HOST_GID}" lab \
    && useradd --non-unique --no-log-init --uid "${HOST_UID}" --gid "${HOST_GID}" --shell /bin/bash --create-home lab
ENV HOME=/home/lab SHELL=/bin/bash
USER ${HOST_UID}:${HOST_GID}
EXPOSE 8888
# 0.0.0.0 inside the container only: compose.yaml publishes the port on 127.0.0.1. --allow-root: on some hosts you are root.
CMD ["jupyter", "lab", "--no-browser", "--allow-root", "--ip=0.0.0.0", "--port=8888"]
