# PostgreSQL, with who may do what in it; in production, this image also makes the backups
FROM {{ cookiecutter | image(cookiecutter._versions.postgres_image) }} AS db
{% include 'labels.Dockerfile' %}
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --chmod=444 docker/roles.sql /docker-entrypoint-initdb.d/
COPY --chmod=755 docker/backup /usr/local/bin/

