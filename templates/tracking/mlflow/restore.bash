#% if not cookiecutter | brought('sql_address')
  tar --extract --file="$file" --directory=/saved/mlflow-data/.restored ./mlflow.db
#% endif
