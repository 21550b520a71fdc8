"""What cookiecutter loads before it asks: the rules for answers, and what each choice brings to shared files.

Jinja gets filters, such as `cookiecutter | brought("key")` and `cookiecutter | fragments("file")`, and the data of the
post-generation hook, `cookiecutter | proofs`. Each render first checks the answers that there are by then. So a
refusal comes right after its question, and also where nothing is asked: from a replay file or in a template update.
"""

from typing import Any

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment, Template
from jinja2.ext import Extension

from . import answers, choices


class CheckedTemplate(Template):
    """A template that renders only answers that can work."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Render. Raises FailedHookException, which cookiecutter shows as its sentence and without a traceback."""
        context = dict(*args, **kwargs)
        if reason := answers.problem(context.get("cookiecutter", {})):
            raise FailedHookException(f"Not generated. {reason}")
        return super().render(context)


class Choices(Extension):
    """Give the filters to every environment that cookiecutter makes."""

    def __init__(self, environment: Environment) -> None:
        """Add the filters, and the check before each render."""
        super().__init__(environment)
        environment.template_class = CheckedTemplate
        environment.filters |= {
            "brought": choices.brought,
            "fragments": choices.fragments,
            "image": choices.image,
            "networks": choices.networks,
            "own_volumes": choices.own_volumes,
            "proofs": choices.proofs,
            "python_image": choices.python_image,
            "served": choices.served,
        }
