# The base image keeps its own server, extensions and languages; the project's environment is separate, in /opt/venv.
FROM ${LAB_IMAGE} AS lab
USER 0:0
{% include 'certificate.Dockerfile' %}
{% include 'environment.Dockerfile' %}
# Run the server directly: the container has no right to change users, as the image's start script would
ENTRYPOINT []
{% include 'jupyterlab.Dockerfile' %}
