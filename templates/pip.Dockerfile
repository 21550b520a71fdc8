# For terminals: the project's Python comes first, wget and curl find the proxy, and virtualenv, which makes the environments
# of pre-commit, does not ask the public index for updates of pip
COPY <<'PROFILE' /etc/profile.d/venv.sh
PATH=/opt/venv/bin:$PATH
if [ "$HTTP_PROXY" ]; then export http_proxy="$HTTP_PROXY"; fi
if [ "$HTTPS_PROXY" ]; then export https_proxy="$HTTPS_PROXY"; fi
export VIRTUALENV_NO_PERIODIC_UPDATE=1
PROFILE

# pip would add a package to this container only: say what adds it to the images
COPY --chmod=755 <<PIP /opt/venv/bin/pip
#!/opt/venv/bin/python
import importlib.metadata
import re
import shlex
import sys

if __name__ == "__main__" and sys.argv[1:2] in (["freeze"], ["list"]):
    for line in sorted({f"{each.name}=={each.version}" for each in importlib.metadata.distributions()}, key=str.lower):
        print(line)
elif __name__ == "__main__":
    names = [word for word in sys.argv[2:] if re.match("[A-Za-z0-9]", word) and not word.endswith(".txt")]
    sys.exit(f"""pip changes nothing here, because both images have the packages of the lock. To add a package, run
these two commands on your machine, in the project's folder; the second one restarts the lab:

  docker compose run --rm lock --add {shlex.join(names or ["PACKAGE"])}
  docker compose up --wait
""")
PIP

RUN ln -s pip /opt/venv/bin/pip3 && cp /opt/venv/bin/pip "$(echo /opt/venv/lib/python3.*/site-packages)/pip.py"
