#% for name, value in cookiecutter._organisation.image_labels.items()
LABEL {{ name }}="{{ value | replace('\\', '\\\\') | replace('"', '\\"') | replace('$', '\\$') }}"
#% endfor
