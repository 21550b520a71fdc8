{% include 'database/' ~ cookiecutter.database ~ '/database.py' %}
