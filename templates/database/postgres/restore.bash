  tar --extract --file="$file" --directory="$partial" ./database.dump
  # into a database of its own, so that the old one is there until all is
  export PGOPTIONS=--client-min-messages=warning
  sql() { psql --username=postgres --dbname=postgres --quiet --set=ON_ERROR_STOP=1 --command="$1"; }
  sql 'DROP DATABASE IF EXISTS restored'
  sql 'CREATE DATABASE restored TEMPLATE template0 OWNER pipeline'
  pg_restore --username=postgres --dbname=restored --exit-on-error "$partial/database.dump"
  sql 'DROP DATABASE IF EXISTS pipeline WITH (FORCE)'
  sql 'ALTER DATABASE restored RENAME TO pipeline'
