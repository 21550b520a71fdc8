# The base image keeps its own server, extensions and languages; the project's environment is separate, in /opt/venv.
FROM ${LAB_IMAGE} AS lab
USER 0:0
{% include 'organisation.Dockerfile' %}
{% include 'environment.Dockerfile' %}
# Run the image's server directly: its start script would put conda's Python first, and as root change the user
ENTRYPOINT []
{% include 'jupyterlab.Dockerfile' %}
