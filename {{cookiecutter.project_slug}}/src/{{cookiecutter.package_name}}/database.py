{% include 'database/' ~ cookiecutter.database ~ '.py' %}
