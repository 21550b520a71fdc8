def _database() -> Findings:
    address, password = SETTINGS["PIPELINE_DATABASE"], SETTINGS["POSTGRES_PASSWORD"].replace("'", r"'\''")
    if not re.match("postgres(ql)?://[^@]*@|host=", address):
        wrong = "PIPELINE_DATABASE is not the address of a PostgreSQL database."
        yield wrong, "In .env, write it as postgresql://user@host:5432/name, and the password into POSTGRES_PASSWORD."
    if INSIDE or not re.search("@db[:/?]", address):
        return
    own = "psql --no-password --username pipeline --command ''"  # needs no password; by its name, db wants one
    asked = f"{own} && ! PGPASSWORD='{password}' {own} --host db && echo refused"
    if ask("compose exec --no-TTY db sh", asked.encode(errors="surrogateescape"))[0]:
        change = '`docker compose exec db psql --username pipeline --command "\\password"`'
        restart = "Then run `docker compose up --wait --force-recreate`."
        wrong = "db keeps the password it was made with; POSTGRES_PASSWORD in .env is another one."
        yield wrong, f"Put that one back, or type the new one into {change}. {restart}"


CHECKS.append(("database", not FAULT[0], _database))
