# The lab's base image with a copy of PYTHON_IMAGE's Python, where uv looks for one to download
ARG PYTHON_IMAGE
ARG LAB_IMAGE
FROM ${PYTHON_IMAGE} AS python
COPY python_home.py /
RUN python /python_home.py

FROM ${LAB_IMAGE}
COPY --from=python /home/python.tar.gz /home/downloads.json /home/
COPY <<X /etc/uv/uv.toml
python-downloads-json-url = "/home/downloads.json"
X
