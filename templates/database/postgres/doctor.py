def _database() -> Findings:
    address, password = SETTINGS["PIPELINE_DATABASE"], SETTINGS["POSTGRES_PASSWORD"].replace("'", r"'\''")
    if not re.match("postgres(ql)?://[^@]*@|host=", address):
        wrong = "PIPELINE_DATABASE is not the address of a PostgreSQL database."
        yield wrong, "In .env, write it as postgresql://user@host:5432/name, and the password into POSTGRES_PASSWORD."
    if INSIDE or not re.search("@db[:/?]", address):
        return
    # without a password inside the container, with it by the container's name
    own = "psql --no-password --username pipeline --tuples-only --command 'SHOW is_superuser'"
    asked = f"{own}; PGPASSWORD='{password}' {own} --host db || echo refused"
    said = ask("compose exec --no-TTY db sh", asked.encode(errors="surrogateescape"))[0].split()
    roles = "`docker compose exec db psql --username %s --file /docker-entrypoint-initdb.d/roles.sql pipeline`"
    if "on" in said:
        yield "an older version made it: the pipeline is its superuser.", f"Once, run {roles % 'pipeline'}."
    elif "off" in said and "refused" in said:
        change = f"give it the new one: `docker compose up --wait db`, then {roles % 'postgres'}."
        yield "it has another password than POSTGRES_PASSWORD in .env.", f"Put that one back, or {change}"


CHECKS.append(("database", not FAULT[0], _database))
