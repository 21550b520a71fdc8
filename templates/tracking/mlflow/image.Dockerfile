# The MLflow server: of lab's packages, only those that it needs
FROM base AS mlflow
RUN python -m venv --without-pip /opt/venv
#% set lock = 'lab'
#% set only = cookiecutter | brought('sql_packages') | sum(start=['mlflow'])
{% include 'install.Dockerfile' %}
LABEL org.opencontainers.image.title="{{ cookiecutter.project_slug }}-mlflow" \
      org.opencontainers.image.description="MLflow server of {{ cookiecutter.project_slug }}"
ARG HOST_UID=1000
ARG HOST_GID=1000
# A new volume takes over its owner
RUN install -d -o "${HOST_UID}" -g "${HOST_GID}" /mlflow
# Job execution is for language models only, and large
ENV HOME=/tmp \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
USER ${HOST_UID}:${HOST_GID}
EXPOSE 5000
# The tables first: MLflow can refuse those of an older version
ENTRYPOINT ["sh", "-c", "mlflow db upgrade \"$MLFLOW_BACKEND_STORE_URI\" && exec mlflow server \"$@\"", "mlflow"]
CMD ["--host=0.0.0.0", "--port=5000", "--workers=1", "--artifacts-destination=/mlflow/artifacts"]

