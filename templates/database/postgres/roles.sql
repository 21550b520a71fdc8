-- Who may do what in the database. Nobody but postgres is a superuser, and postgres has no password: it logs in inside
-- the container only. PostgreSQL runs this file when the volume is new. To run it again, for a password that has changed
-- in .env or a volume of an older version, see README.md.
\set ON_ERROR_STOP on
\getenv password POSTGRES_PASSWORD
SET log_min_error_statement = panic; -- no password in a log

-- In a volume of an older version, the pipeline is the superuser that PostgreSQL cannot do without: rename it
SELECT rolname = 'pipeline' AS older FROM pg_roles WHERE oid = 10 \gset
\if :older
  SELECT 'CREATE ROLE renaming SUPERUSER LOGIN' WHERE to_regrole('renaming') IS NULL \gexec
  \connect - renaming
  ALTER ROLE pipeline RENAME TO postgres;
  \connect - postgres
\endif
DROP ROLE IF EXISTS renaming;
ALTER ROLE postgres PASSWORD NULL;

-- pipeline owns the database and its own schema; its tests create databases
SELECT 'CREATE ROLE pipeline' WHERE to_regrole('pipeline') IS NULL \gexec
SET log_min_error_statement = panic;
ALTER ROLE pipeline LOGIN CREATEDB PASSWORD :'password';
ALTER DATABASE pipeline OWNER TO pipeline;
CREATE SCHEMA IF NOT EXISTS pipeline;
ALTER SCHEMA pipeline OWNER TO pipeline;

-- people read what the pipeline stores, and write into a schema of their own
SELECT 'CREATE ROLE people' WHERE to_regrole('people') IS NULL \gexec
ALTER ROLE people LOGIN;
ALTER ROLE people SET search_path = people, pipeline;
CREATE SCHEMA IF NOT EXISTS people AUTHORIZATION people;
GRANT USAGE ON SCHEMA pipeline TO people;
GRANT SELECT ON ALL TABLES IN SCHEMA pipeline TO people;
ALTER DEFAULT PRIVILEGES FOR ROLE pipeline IN SCHEMA pipeline GRANT SELECT ON TABLES TO people;

#% for role in cookiecutter | brought('sql_role')
-- {{ role.name }} keeps its tables in the schema public
\getenv password {{ role.password }}
SELECT 'CREATE ROLE {{ role.name }}' WHERE to_regrole('{{ role.name }}') IS NULL \gexec
ALTER ROLE {{ role.name }} LOGIN PASSWORD :'password';
ALTER SCHEMA public OWNER TO {{ role.name }};

#% endfor
-- Tables of an older version
SELECT format(
  'ALTER %s %I.%I OWNER TO %I', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
  nspname, relname, CASE nspname WHEN 'public' THEN {{ ((cookiecutter | brought('sql_role') | map(attribute='name') | list) + ['pipeline']) | first | tojson | replace('"', "'") }} ELSE 'pipeline' END
)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relowner = 10 AND relkind IN ('r', 'p', 'v', 'm') AND nspname !~ '^(pg_|information_schema$)' \gexec
