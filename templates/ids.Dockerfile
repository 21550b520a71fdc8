ARG HOST_UID=1000
ARG HOST_GID=1000
#% for volume in cookiecutter | brought('volume') if volume.folder is defined
# A new volume takes over its owner
RUN install -d -o "${HOST_UID}" -g "${HOST_GID}" {{ volume.folder }}
#% endfor
