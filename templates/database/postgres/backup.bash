  pg_dump --username=postgres --format=custom --file="$partial/database.dump" pipeline
