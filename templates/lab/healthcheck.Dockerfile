# /api answers without the token and says nothing secret
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', {{ cookiecutter.__lab_port }}, timeout=4); c.request('GET', '/api'); raise SystemExit(c.getresponse().status != 200)"]
