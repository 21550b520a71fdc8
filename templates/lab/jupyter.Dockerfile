# Jupyter's image has a server, extensions and languages of its own; the project's environment stands beside them,
# in /opt/venv, and leaves them as they are.
FROM ${LAB_IMAGE} AS lab
USER 0:0
{% include 'certificate.Dockerfile' %}
{% include 'lab/environment.Dockerfile' %}
# The image's own start.sh would change to another user, for which a container of this project has no right.
ENTRYPOINT []
{% include 'lab/jupyterlab.Dockerfile' %}
