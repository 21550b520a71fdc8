"""Deliberate defects: each is put into a copy of the template, where what it is listed under must catch it."""

from typing import NamedTuple


class Defect(NamedTuple):
    """A mistake that somebody could make: a file in which `new` replaces `old`.

    The file's path starts in the folder that becomes a project, without the conditions in its name. Where `old` is
    empty, `new` is appended; a file that does not exist is created.
    """

    name: str
    file: str
    old: str
    new: str


PARSER = "src/{{cookiecutter.package_name}}/env_file.py"

# What catches them: a check of checks.py, or a test
DEFECTS: dict[str, list[Defect]] = {
    "each_file": [
        Defect("two empty lines", "Dockerfile", "WORKDIR /app\n", "WORKDIR /app\n\n\n"),
        Defect("a trailing blank", "Makefile", "help: ## show", "help: ## show this list \n#"),
        Defect("a rest of the template", "README.md", "## Start", "## {% raw %}{% if x %}{% endraw %}"),
        Defect("a missing quote filter", "pyproject.toml", "cookiecutter.__description", "cookiecutter.description"),
    ],
    "settings_documented": [
        Defect("a setting that no file names", "../templates/service.yaml", "${TZ:-UTC}", "${TIMEZONE:-UTC}"),
        Defect("a default that two files tell apart", ".env.example", "MEMORY=4g", "MEMORY=8g"),
    ],
    "secrets_are_fresh": [
        Defect("a constant token", ".env.example", "JUPYTER_TOKEN=", "JUPYTER_TOKEN=secret"),
        Defect("a weak token", "docker/setup.py", "token_hex(24)", "token_hex(4)"),
        Defect("a .env for all to read", "docker/setup.py", "0o600", "0o644"),
    ],
    "storage_keys_are_given_to_readers": [
        Defect("keys for the tests", "compose.yaml", "{<<: *environment, HOME", "{<<: [*environment, *storage], HOME"),
        Defect("no key for a run at night", "production/compose.yaml", "{<<: [*timed, *storage]}", "*timed"),
        Defect("a key that does not arrive", "../templates/service.yaml", "AWS_SESSION_TOKEN, ", ""),
        Defect("no key for workers", "../templates/cluster/dask/compose.yaml", "[*runtime, *storage]", "*runtime"),
        Defect("its own servers behind a proxy", "production/compose.yaml", "no_proxy: *direct", "no_proxy: localhost"),
        Defect("a proxy for locks only", "../templates/service.yaml", "{HTTP_PROXY, HTTPS_PROXY, ", "{"),
        Defect("a key for everybody", ".env.example", "#AWS_ACCESS_KEY_ID=", "#AWS_ACCESS_KEY_ID=mine"),
    ],
    "loopback_only": [
        Defect(
            "a scheduler for all",
            "../templates/cluster/dask/compose.yaml",
            '["${BIND_ADDRESS:-127.0.0.1}:${DASK',
            '["${DASK',
        ),
        Defect("a port on every interface", "compose.yaml", '"${BIND_ADDRESS:-127.0.0.1}:${', '"0.0.0.0:${'),
        Defect("ports open by default", ".env.example", "BIND_ADDRESS=127.0.0.1", "BIND_ADDRESS=0.0.0.0"),
        Defect(
            "a service open by default", "../templates/deploy/api/env", "API_BIND_ADDRESS=", "API_BIND_ADDRESS=0.0.0.0"
        ),
    ],
    "confined": [
        Defect(
            "a service that reaches all",
            "../templates/deploy/api/compose.yaml",
            "    ports:",
            "    networks: [internet]\n    ports:",
        ),
        Defect("a flat network", "compose.yaml", "{internal: true}", "{}"),
        Defect("a network with a way out", "compose.yaml", "${OUTBOUND:-false}", "true"),
        Defect(
            "secrets in the lab",
            "compose.yaml",
            "    volumes: [*folder, *hidden, *data]\n",
            "    volumes: [*folder, *data]\n",
        ),
        Defect(
            "a password for all to see",
            "compose.yaml",
            "HOME: /tmp}\n    configs",
            "HOME: /tmp, EXTRA_INDEX: }\n    configs",
        ),
    ],
    "hardened": [
        Defect("capabilities kept", "../templates/service.yaml", "  cap_drop: [ALL]\n", ""),
        Defect("a process that can write anywhere", "compose.yaml", "    read_only: true\n", ""),
        Defect(
            "a service that waits for nobody",
            "../templates/needs.yaml",
            "{{ needed.name }}:",
            "{{ needed.name }}-1:",
        ),
        Defect(
            "a service without a health check",
            "../templates/deploy/api/compose.yaml",
            "    healthcheck: *healthcheck\n",
            "",
        ),
    ],
    "production_is_safe": [
        Defect(
            "a server's port for all",
            "production/compose.yaml",
            "${BIND_ADDRESS:-127.0.0.1}:${HTTP_",
            "0.0.0.0:${HTTP_",
        ),
        Defect("open by default", "production/.env.example", "BIND_ADDRESS=127.0.0.1", "BIND_ADDRESS=0.0.0.0"),
        Defect("a constant password", "production/.env.example", "LOGIN_PASSWORD=", "LOGIN_PASSWORD=secret"),
        Defect("a setting without a word", "production/compose.yaml", "${BACKUP_KEEP:-7}", "${BACKUP_KEPT:-7}"),
        Defect("all capabilities", "../templates/service.yaml", "  cap_drop: [ALL]\n", ""),
        Defect(
            "a second door",
            "../templates/deploy/api/production.yaml",
            "    volumes:",
            "    ports: [8000]\n    volumes:",
        ),
        Defect("a mounted file", "production/compose.yaml", '"certificates:/data"', '"./certificates:/data"'),
        Defect("down after a reboot", "../templates/service.yaml", "  restart: always", '  restart: "no"'),
    ],
    "services_exist": [
        Defect("a service that does not exist", "README.md", "run --rm process\n", "run --rm proces\n"),
        Defect(
            "a dev container in a service that is gone",
            ".devcontainer/devcontainer.json",
            '"service": "lab"',
            '"service": "jupyter"',
        ),
    ],
    "images_pinned": [
        Defect(
            "an unpinned image", "Dockerfile", "cookiecutter | python_image", "cookiecutter._versions.docker_cli_image"
        ),
        Defect("an image with two owners", "compose.yaml", "    scale: 0", "    image: shared\n    scale: 0"),
        Defect("a stage that was renamed", "Dockerfile", "packages AS process", "packages AS deploy"),
        Defect(
            "an image that is not in the table",
            "../templates/database/postgres/image.Dockerfile",
            "{{ cookiecutter | image(cookiecutter._versions.postgres_image) }}",
            "postgres:17",
        ),
        Defect(
            "a scanner that is not in the table",
            ".gitlab-ci.yml",
            "cookiecutter._versions.grype_image",
            "'anchore/grype:latest'",
        ),
        Defect(
            "an emulator that is not in the table",
            ".github/workflows/ci.yaml",
            "cookiecutter._versions.binfmt_image.split(':', 1)[1]",
            "'latest'",
        ),
        Defect(
            "an action that can move",
            ".github/workflows/ci.yaml",
            "{{ cookiecutter._versions.actions['actions/checkout'] }}",
            "v5",
        ),
    ],
    "images_scanned": [
        Defect("an image that nobody scans", ".github/workflows/ci.yaml", "published + ['lab']", "['lab']"),
        Defect("an image that passes with holes", ".gitlab-ci.yml", "' --fail-on high'", "''"),
        Defect(
            "no scan when nobody pushes", ".github/workflows/ci.yaml", "  schedule:\n", "  workflow_dispatch:\n  x:\n"
        ),
        Defect(
            "an image that is published anyway", ".github/workflows/ci.yaml", "    needs: test\n", "    needs: update\n"
        ),
    ],
    "images_published": [
        Defect("an image that nobody signed", ".github/workflows/ci.yaml", 'cosign sign --yes "$IMAGE"', "true"),
        Defect("an image for one platform", ".gitlab-ci.yml", "linux/amd64,linux/arm64", "linux/amd64"),
        Defect("a lab for everybody", ".github/workflows/ci.yaml", " + cookiecutter | brought('target')", " + ['lab']"),
        Defect("a tag that fails later", ".github/workflows/ci.yaml", '"v[0-9]+.[0-9]+.[0-9]+",', '"v[0-9]+*",'),
        Defect("a tag that is a version by its start", ".gitlab-ci.yml", "\\d+)?$/", "\\d+)?/"),
    ],
    "deployed_by_hand": [
        Defect(
            "a push that deploys",
            ".github/workflows/deploy.yaml",
            "  workflow_dispatch:\n",
            "  push:\n  workflow_dispatch:\n",
        ),
        Defect("a tag that deploys", ".gitlab-ci.yml", "      when: manual\n", "      when: on_success\n"),
        Defect(
            "a deployment that nobody approves",
            ".gitlab-ci.yml",
            "  environment: production\n",
            "  environment: test\n",
        ),
        Defect("a version that is a command", "../templates/deploy.sh", "(-[a-z]+", "(.*|-[a-z]+"),
    ],
    "updates_proposed": [
        Defect(
            "CI whose tools get old",
            "../templates/ci/gitlab/choice.yaml",
            "managers: [gitlabci]",
            "managers: [circleci]",
        ),
        Defect(
            "an emulator that gets old",
            "../templates/ci/github/choice.yaml",
            "[github-actions, custom.regex]",
            "[github-actions]",
        ),
        Defect("a commit's checks that get old", "renovate.json", '{"enabled": true}', "{}"),
        Defect(
            "a line of Python that is taken for an image",
            "../templates/pip.Dockerfile",
            "import importlib.metadata\n",
            "from importlib.metadata import distributions\n",
        ),
    ],
    "build_sources_exist": [Defect("a source that is ignored", ".dockerignore", "!src/\n", "")],
    "locks_match": [
        Defect(
            "a package that no lock has", "pyproject.toml", '    "typer>=0.20",', '    "typer>=0.20",\n    "humanize",'
        ),
        Defect("a lock that is behind", "pyproject.toml", "typer>=0.20", "typer>=9"),
        Defect("a lock with two versions", "requirements/process.txt", "typer==", "typer==0.28.0\nold-typer=="),
        Defect("a lock without a hash", "requirements/lab.txt", "typer==", "added==1.0\ntyper=="),
        Defect("a lock with an address", "requirements/lab.txt", "# This", "--index-url https://index.example\n# This"),
        Defect("a base that is behind", "requirements/base.txt", "{% include", "older==0.0.1\n{% include"),
    ],
    "test_each_service_meets_what_the_page_says": [
        Defect(
            "a service that sees the host's processes", "compose.yaml", "    scale: 0", "    pid: host\n    scale: 0"
        )
    ],
    "test_no_broken_file_ends_in_a_traceback": [
        Defect("a broken file that ends in a traceback", "docker/lock.py", "except ValueError as", "except KeyError as")
    ],
    "test_what_no_image_can_install_is_refused_by_name": [
        Defect("a lock of wheels for other machines", "docker/lock.py", "--require-hashes --target", "--help --target"),
    ],
    "short_names_match": [Defect("a short name that does something else", "Makefile", "run --rm test", "run test")],
    "choices_show": [
        Defect("another author", "pyproject.toml", "{{ cookiecutter.__author_name }}", "Somebody"),
    ],
    "test_only_declared_options_and_choices_are_named": [
        Defect("a choice that nobody declared", "Makefile", "", "{% if cookiecutter.ci == 'jenkins' %}\n{% endif %}\n"),
        Defect("an option that nobody declared", "Makefile", "", "# {{ cookiecutter.colour }}\n"),
    ],
    "test_git_has_every_file_of_the_template": [Defect("a file that git ignores", ".gitignore", "", "docker/\n")],
    "test_no_folder_name_is_conditional": [
        Defect("a folder with a conditional name", "{% if cookiecutter.ci == 'gitlab' %}ci{% endif %}/x.txt", "", "x\n")
    ],
    "test_a_file_is_valid_in_its_language_before_it_is_rendered": [
        Defect(
            "a file that is only valid once rendered",
            "compose.yaml",
            "#% for fragment in cookiecutter | fragments('compose.yaml')",
            "{{ cookiecutter }} }",
        )
    ],
    "test_every_option_and_every_choice_has_a_prompt": [
        Defect("a choice without a label", "../cookiecutter.json", '"api": "api ', '"apj": "api ')
    ],
    "test_every_service_has_a_proof": [
        Defect("a service without a proof", "compose.yaml", "\nservices:\n", "\nservices:\n  queue: {scale: 1}\n")
    ],
    "test_variant": [
        Defect("a dropped endfor", "compose.yaml", "{{ volume.holds }}\n#% endfor\n", "{{ volume.holds }}\n"),
        Defect("a service that was not chosen", "compose.yaml", "\nsecrets:", "\n  api: *setup\n\nsecrets:"),
        Defect("a choice that does not show", "../templates/deploy/api/compose.yaml", "  api: #", "  web: #"),
        Defect("a package that was not chosen", "pyproject.toml", '"typer>=0.20",', '"typer>=0.20", # not fastapi'),
    ],
    "test_a_refused_combination_gets_the_sentence_of_its_rule": [
        Defect("a rule that nobody obeys", "../local_extensions/answers.py", "for rule in rules:", "for rule in []:")
    ],
    "test_an_answer_that_cannot_work_is_refused_in_one_sentence": [
        Defect("a name that hides a module", "../local_extensions/answers.py", "in sys.stdlib_module_names:", "in ():")
    ],
    "test_an_old_cookiecutter_is_refused_in_one_sentence": [
        Defect(
            "an old cookiecutter that goes on",
            "../template_needs_cookiecutter_2_2_or_newer.py",
            "< [2, 1, 2]",
            "< []",
        )
    ],
    "test_hostile_text_arrives_unchanged": [
        Defect(
            "an answer that turns into markup",
            "README.md",
            "cookiecutter.description | replace('<', '&lt;')",
            "cookiecutter.description",
        )
    ],
    "test_any_line_arrives_unchanged_or_is_refused": [
        Defect(
            "an answer that ends its string",
            "../cookiecutter.json",
            "cookiecutter.description | replace('\\\\\\\\', '\\\\\\\\\\\\\\\\')",
            "cookiecutter.description",
        )
    ],
    "test_next_steps_show_the_token_on_a_terminal_only": [
        Defect("a hook that says a secret", "../hooks/post_gen_project.py", "token=sys.stdout.isatty()", "token=True")
    ],
    "test_nothing_but_secrets_differs_between_two_bakes": [
        Defect("a project that differs from bake to bake", "README.md", "", "\nNumber {{ random_ascii_string(12) }}.\n")
    ],
    "test_a_fresh_clone_loses_nothing_but_dotenv": [
        Defect("a file that a clone would not have", ".gitignore", "", "/Makefile\n")
    ],
    "test_each_choice_touches_what_the_document_says": [
        Defect("a choice that touches more than it says", "Makefile", "", "# CI: {{ cookiecutter.ci }}\n")
    ],
    "test_a_local_option_looks_at_no_other_and_no_other_at_it": [
        Defect("an option that is not local", "README.md", "", "\nUnder {{ cookiecutter.license }}.\n")
    ],
    "test_an_update_keeps_local_edits_and_dotenv": [
        Defect("an update that compares secrets", "pyproject.toml", 'skip = [".env", ', "skip = ["),
        Defect("a command that no test knows", "../README.md", "`cruft update --skip-apply-ask`", "`git pull`"),
    ],
    "test_an_update_runs_the_code_of_the_newer_template": [
        Defect(
            "an update that runs old code",
            "../template_needs_cookiecutter_2_2_or_newer.py",
            "if loaded and not",
            "if not loaded and not",
        )
    ],
    "test_a_retired_choice_stays_with_projects_that_have_it": [
        Defect(
            "a retired choice that is offered",
            "../local_extensions/__init__.py",
            "if each not in answers.RETIRED.get(name, {})",
            "",
        )
    ],
    "test_a_new_rule_refuses_new_projects_only": [
        Defect(
            "a rule that locks projects out",
            "../local_extensions/answers.py",
            "answer != before.get(name)",
            "before",
        )
    ],
    "test_what_an_organisation_cannot_set_is_refused_in_a_sentence": [
        Defect("a password in Git", "../local_extensions/organisation.py", "://[^", "x^[^")
    ],
    "test_of_two_versions_of_an_update_the_newer_ones_are_kept": [
        Defect(
            "an older version that wins", "docker/lock.py", "found[name, marker] = max(", "found[name, marker] = min("
        )
    ],
    "test_links_lead_somewhere": [
        Defect("a link that leads nowhere", "../README.md", "(CHANGELOG.md)", "(CHANGES.md)")
    ],
    "test_hadolint": [Defect("a Dockerfile against good practice", "Dockerfile", "WORKDIR /app\n", "WORKDIR app\n")],
    "test_docker_checks_every_dockerfile": [
        Defect("a Dockerfile that the builder warns of", "Dockerfile", "packages AS", "packages as")
    ],
    "test_compose_schema": [
        Defect("a Compose file against its schema", "../templates/service.yaml", "_limit: 1024", "_limit: [1024]")
    ],
    "test_compose_reads_every_variant_with_every_profile": [
        Defect(
            "a Compose file that Compose refuses",
            "compose.yaml",
            "[{<<: *folder, target: /app}, {<<: *hidden, target: /app/.env}]\n\n  setup:",
            '["cache:/app"]\n\n  setup:',
        )
    ],
    "test_yaml_of_every_variant": [
        Defect("a key that stands twice", "../templates/service.yaml", "1024", "1024\n  pids_limit: 2048")
    ],
    "test_types_of_every_variant": [
        Defect(
            "a type that does not fit", "docker/setup.py", "else (folder.stat().st_uid, folder.stat().st_gid)", "else 0"
        )
    ],
    "test_ruff_on_every_variant": [
        Defect("an import that nobody uses", "docker/setup.py", "import secrets", "import secrets\nimport shutil")
    ],
    "test_markdown_of_the_variants_and_of_the_template": [
        Defect("a heading that skips a level", "README.md", "## Start\n", "#### Start\n")
    ],
    "test_workflows_of_every_variant": [
        Defect(
            "a GitHub workflow against its schema", ".github/workflows/ci.yaml", "timeout-minutes:", "timeout-minute:"
        ),
        Defect(
            "a GitHub workflow that leaks a login",
            ".github/workflows/ci.yaml",
            "\n        with:\n          persist-credentials: false",
            "",
        ),
        Defect("a GitLab pipeline against its schema", ".gitlab-ci.yml", "needs: [test]", "needs: {test: 1}"),
        Defect("a Renovate file against its schema", "renovate.json", '"7 days"', "7"),
    ],
    "test_dev_container_schema": [
        Defect(
            "a dev container against its schema",
            ".devcontainer/devcontainer.json",
            '"overrideCommand": false',
            '"overrideCommand": 1',
        )
    ],
    "test_a_missing_and_a_stopped_docker_are_found": [
        Defect("a doctor that is always content", "docker/doctor.py", "return min(wrong, 1)", "return 0")
    ],
    "test_what_docker_lacks_is_found": [
        Defect(
            "a doctor that lets an old Compose pass",
            "../cookiecutter.json",
            '"Docker Compose": "2.24"',
            '"Docker Compose": "2.20"',
        )
    ],
    "test_what_compose_refuses_is_found_without_secrets": [
        Defect(
            "a doctor that tells a secret",
            "docker/doctor.py",
            'yield "Compose refuses it or compose.yaml."',
            'yield ask("compose config --quiet")[1]',
        )
    ],
    "test_files_that_are_in_another_folder_too_keep_their_owner": [
        Defect("a doctor that takes a colleague's files", "docker/doctor.py", r"\( -type d -o -links 1 \)", "")
    ],
    "test_files_of_another_user_are_found": [
        Defect("a doctor that sees no stranger's file", "docker/doctor.py", "st_uid != UID", "st_uid < 0")
    ],
    "test_shellcheck": [
        Defect("a shell script with a bare variable", "../.ci/run", 'cd "$(dirname "$0")/.."', "cd $(dirname $0)/..")
    ],
    "test_env_is_read_as_compose_reads_it": [
        Defect("a parser that keeps quotes", PARSER, "[^'\\\\]*(?:\\\\.[^'\\\\]*)*)'", "[^'\\\\]*)'"),
        Defect("a parser that takes an empty value for a missing one", PARSER, 'operator[0] != ":"', "False"),
    ],
    "test_odd_env_files_are_read_as_compose_reads_them": [
        Defect("a parser that forgets escapes", PARSER, "ESCAPES.get(code, match[0])", "match[0]"),
    ],
    "test_setup_changes_no_value_whatever_env_holds": [
        Defect("a setup that drops the quotes of an empty secret", PARSER, "[\"']?)).*?(\\2", "[\"']?)).*?("),
        Defect("a setup that adds what is there", "docker/setup.py", "entry.name not in known", "True"),
    ],
    "test_the_doctor_reports_whatever_env_holds": [
        Defect("a doctor that shows what it cannot read", PARSER, "fault=str(error)", "fault=match[0]"),
    ],
    "test_a_dollar_that_compose_takes_away_is_found": [
        Defect(
            "a parser that takes every dollar for lost", PARSER, r'"$$" in re.sub(r"(?s)\\.", "", raw)', '"$" in raw'
        )
    ],
    "test_a_gpu_and_an_override_file_go_together": [
        Defect("a GPU that nobody asks for", "compose.gpu.yaml", "  gpu:", "  gpus:")
    ],
}
