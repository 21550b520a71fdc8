set -eu
# The version becomes part of a command on the server
if ! printf '%s' "$VERSION" | tr '\n' ' ' | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+(-[a-z]+\.[0-9]+)?(@sha256:[0-9a-f]{64})?'; then
  echo "The version is not like 1.2.0 or 1.2.0-rc.1, so nothing changed: give one that was published." >&2
  exit 1
fi
unset="is not set: README.md says where"
: "${DEPLOY_HOST:?$unset}" "${DEPLOY_FOLDER:?$unset}" "${DEPLOY_KNOWN_HOSTS:?$unset}" "${DEPLOY_KEY:?$unset}"
umask 077 # ssh refuses a key that others can read
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
printf '%s\n' "$DEPLOY_KEY" >"$keys/key"
printf '%s\n' "$DEPLOY_KNOWN_HOSTS" >"$keys/known_hosts"
ssh -i "$keys/key" -o IdentitiesOnly=yes -o BatchMode=yes -o ServerAliveInterval=30 \
  -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$keys/known_hosts" "$DEPLOY_HOST" \
  "cd '$DEPLOY_FOLDER' && sed -i 's/^VERSION=.*/VERSION=$VERSION/' .env && docker compose up --wait"
