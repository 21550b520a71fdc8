# The plain recipe: one stage for everything
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
WORKDIR /app
COPY . .
RUN pip install --root-user-action ignore --requirement requirements/lab.txt
ENV PYTHONPATH=/app/src
