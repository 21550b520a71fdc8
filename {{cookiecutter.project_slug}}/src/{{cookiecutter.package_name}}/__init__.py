"""The pipeline of {{ cookiecutter.project_slug }}: read, check, prepare, train, evaluate, report."""

__version__ = "0.1.0"
