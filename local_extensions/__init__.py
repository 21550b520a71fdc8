"""What cookiecutter loads before it asks: the rules for answers, and what each choice brings to shared files.

Jinja gets filters, such as `cookiecutter | brought("key")` and `cookiecutter | fragments("file")`, and the data of the
post-generation hook, `cookiecutter | proofs`. Each render first checks the answers that there are by then. So a
refusal comes right after its question, and also where nothing is asked: from a replay file or in a template update.
"""

import functools
from typing import Any

from cookiecutter import prompt
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment, Template
from jinja2.ext import Extension

from . import answers, choices, link, organisation


def state() -> list[tuple[str, int]]:
    """Return what differs once git has put another version of the template into its folder."""
    root = answers.HERE.parent
    read = [root / "cookiecutter.json", *answers.HERE.glob("*.*"), *(root / "templates").glob("*/*")]
    return sorted((str(each), each.stat().st_mtime_ns) for each in read if each.exists())


STATE = state()


def is_current() -> bool:
    """Say whether these modules are of the template on the disk, or this is gone; the first extension asks."""
    return state() in (STATE, [])


def offer(ask: Any) -> Any:
    """Return cookiecutter's question for a choice, without choices that are retired, unless the project has one.

    A single choice is no question.
    """

    @functools.wraps(ask)
    def read_user_choice(name: str, options: list[str], *more: Any, **named: Any) -> str:
        offered = options[:1] + [each for each in options[1:] if each not in answers.RETIRED.get(name, {})]
        return ask(name, offered, *more, **named) if len(offered) > 1 else offered[0]

    return read_user_choice


# One that another version of this module has put there is replaced
prompt.read_user_choice = offer(getattr(prompt.read_user_choice, "__wrapped__", prompt.read_user_choice))


class Refusal(FailedHookException, SystemExit):
    """What cookiecutter shows as its sentence, and what ends cruft, which knows no such exception."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence."""
        SystemExit.__init__(self, sentence)


class CheckedTemplate(Template):
    """A template that renders only answers that can work."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Render. Raises Refusal."""
        context = dict(*args, **kwargs)
        given = context.get("cookiecutter", {})
        if reason := organisation.problem(given.get("_organisation", {})) or answers.problem(given):
            raise Refusal(f"Not generated. {reason}")
        return super().render(context)


class Choices(Extension):
    """Give the filters to every environment that cookiecutter makes."""

    def __init__(self, environment: Environment) -> None:
        """Add the filters, and the check before each render."""
        super().__init__(environment)
        environment.template_class = CheckedTemplate
        environment.filters |= {
            "advice": answers.advice,
            "brought": choices.brought,
            "fragments": choices.fragments,
            "image": choices.image,
            "link": link.link,
            "networks": choices.networks,
            "own_volumes": choices.own_volumes,
            "proofs": choices.proofs,
            "python_image": choices.python_image,
            "served": choices.served,
            "direct": choices.direct,
            "with_settings": organisation.with_settings,
        }
