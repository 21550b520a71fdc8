#% if not cookiecutter | brought('sql_address')
  # a copy of the file of a running server could be torn
  python -c "import sqlite3; sqlite3.connect('/saved/mlflow-data/mlflow.db').execute(\"VACUUM INTO '$partial/mlflow.db'\")"
#% endif
