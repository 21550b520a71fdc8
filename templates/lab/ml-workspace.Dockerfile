# ml-workspace as it was left in 2021: only for people who need its tools. The project's environment stands beside them,
# in /opt/venv, and leaves them as they are.
FROM ${LAB_IMAGE} AS lab
{% include 'certificate.Dockerfile' %}
{% include 'lab/environment.Dockerfile' %}
#% if cookiecutter.tracking == 'mlflow'
ARG HOST_UID=1000
ARG HOST_GID=1000
# Where the server of the same packages keeps its runs
RUN install -d -o "${HOST_UID}" -g "${HOST_GID}" /mlflow
#% endif
COPY docker/workspace.py /opt/workspace.py
EXPOSE 8080
{% include 'lab/healthcheck.Dockerfile' %}
# It can only be root: workspace.py gives the files that it makes to their owner on the host.
ENTRYPOINT ["/opt/venv/bin/python", "/opt/workspace.py"]
CMD ["python", "/resources/docker-entrypoint.py"]
