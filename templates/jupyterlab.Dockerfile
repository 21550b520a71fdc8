# Turn off JupyterLab's news feed and its opt-in prompt
RUN mkdir -p /etc/jupyter/labconfig \
    && echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' >/etc/jupyter/labconfig/page_config.json
# Browsers may call it by the names of this machine only, and by those in ALLOWED_HOSTS
COPY <<CONFIG /opt/jupyter/jupyter_server_config.py
import os

names = [name.partition(":")[0] for name in os.environ.get("ALLOWED_HOSTS", "").replace(",", " ").split()]
c.ServerApp.local_hostnames = ["localhost", *names]
c.ServerApp.allow_remote_access = any(name.replace(".", "").isdigit() for name in names)  # that list takes no addresses
CONFIG

ENV JUPYTER_CONFIG_PATH=/opt/jupyter
ARG HOST_UID=1000
ARG HOST_GID=1000
# A user with your ids, so that files stay yours. First in its list, because ssh looks for keys in the home of the first.
RUN groupadd --non-unique --gid "${HOST_GID}" lab \
    && sed -i "1i lab:x:${HOST_UID}:${HOST_GID}::/home/lab:/bin/bash" /etc/passwd \
    && cp -R /etc/skel /home/lab \
    && chown -R "${HOST_UID}:${HOST_GID}" /home/lab
ENV HOME=/home/lab SHELL=/bin/bash
USER ${HOST_UID}:${HOST_GID}
EXPOSE 8888
# 0.0.0.0 inside the container only: compose.yaml publishes the port on 127.0.0.1. --allow-root: on some hosts you are root.
# Deleted files are gone: a trash would be a folder of this project, or would fill the volume.
CMD ["{{ lab.server | default('/opt/conda/bin/jupyter-lab') }}", "--no-browser", "--allow-root", "--ip=0.0.0.0", "--port=8888", "--FileContentsManager.delete_to_trash=False"]
