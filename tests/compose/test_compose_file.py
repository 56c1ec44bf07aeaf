"""The stack's files, read and not run: what would be unsafe or could not start is seen without an engine.

`make compose-test` (tests/compose/stack.py) runs them.
"""

import copy
import importlib.util
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
# Those that begin, do their work and end.
TASKS = {"warehouse-init", "airflow-init", "superset-init", "dashboards-init", "first-run", "privacy"}
SERVERS = {
    "warehouse", "metadata", "redis", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor",
    "airflow-triggerer", "airflow-worker", "superset", "mlflow",
}  # fmt: skip
DOCKERFILES = sorted((PROJECT / "docker").glob("*/Dockerfile"))
LOCKS = sorted((PROJECT / "docker").glob("*/requirements.lock"))
# Whose password each service may read. The passwords of the owner, of contact data and of the auditor are for
# the one task that sets them, so no DAG can ever be any of them.
OF_TASKS = {
    "keepwell_loader", "keepwell_transformer", "keepwell_scorer", "keepwell_publisher", "keepwell_bi_reader",
}  # fmt: skip
OF_THE_WAREHOUSE = {
    "warehouse": {"keepwell_owner"},
    "warehouse-init": OF_TASKS | {"keepwell_owner", "keepwell_crm_reader", "keepwell_auditor"},
    "airflow-scheduler": OF_TASKS,
    "airflow-worker": OF_TASKS,
    "airflow-dag-processor": {"keepwell_publisher"},
    "dashboards-init": {"keepwell_bi_reader"},
    "first-run": {"keepwell_bi_reader"},
    "privacy": {"keepwell_owner", "keepwell_publisher"},
}
IN_THE_WAREHOUSES_NETWORK = {
    "warehouse", "warehouse-init", "airflow-scheduler", "airflow-worker", "airflow-dag-processor", "superset",
    "first-run", "privacy",
}  # fmt: skip


def load_script(name: str) -> Any:
    """A script of docker/, which is no package: it runs where nothing is installed."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docker" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return content


def faults(compose: dict[str, Any]) -> Iterator[str]:
    """Every rule that a service breaks, as a sentence."""
    services = compose["services"]
    if set(services) != TASKS | SERVERS:
        yield f"the services are {sorted(services)}"
    for name, service in services.items():
        yield from (f"{name} {fault}" for fault in _faults_of_service(name, service, services))
        secrets = set(service.get("secrets", []))
        if unknown := secrets - set(compose["secrets"]):
            yield f"{name} asks for secrets that nothing declares: {sorted(unknown)}"
        roles = {secret for secret in secrets if secret.startswith("keepwell_")}
        if roles != OF_THE_WAREHOUSE.get(name, set()):
            yield f"{name} may read the passwords of {sorted(roles)}"
        if ("warehouse" in service["networks"]) != (name in IN_THE_WAREHOUSES_NETWORK):
            yield f"{name} is in the networks {service['networks']}"
    for network in ("metadata", "broker"):
        if not (compose["networks"][network] or {}).get("internal"):
            yield f"the network {network} is not internal"
    if "--builtin-locale=C.UTF-8" not in services["warehouse"]["environment"].get("POSTGRES_INITDB_ARGS", ""):
        yield "the warehouse does not sort text by code point"
    used = {secret for service in services.values() for secret in service.get("secrets", [])}
    if idle := set(compose["secrets"]) - used:
        yield f"secrets that nobody reads: {sorted(idle)}"


def _faults_of_service(name: str, service: dict[str, Any], services: dict[str, Any]) -> Iterator[str]:
    for port in service.get("ports", []):
        if not re.fullmatch(r"127\.0\.0\.1:\$\{KEEPWELL_\w+_PORT:-\d+\}:\d+", port):
            yield f"publishes {port}: write 127.0.0.1:${{KEEPWELL_..._PORT:-number}}:number"
    if name in SERVERS and not {"test", "interval", "timeout", "retries"} <= set(
        service.get("healthcheck", {})
    ):
        yield "has no whole health check"
    if name in SERVERS and service.get("restart") != "unless-stopped":
        yield f"restarts {service.get('restart')}"
    if name in TASKS and service.get("restart") not in {"on-failure:3", "no"}:
        yield f"is a task and restarts {service.get('restart')}"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if limits.get("cpus") != "${KEEPWELL_CPUS:-2}" or not limits.get("memory"):
        yield f"has the limits {limits}"
    if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
        yield "keeps capabilities or may gain privileges"
    if set(service.get("cap_add", [])) - {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}:
        yield f"adds the capabilities {service['cap_add']}"
    if service.get("cap_add") and not service["image"].startswith("postgres:"):
        yield "adds capabilities"
    if service.get("privileged") or service.get("network_mode") or service.get("pid"):
        yield "is not alone in its container"
    if (
        service.get("init") is not True
        or service.get("logging", {}).get("options", {}).get("max-size") != "10m"
    ):
        yield "has no init or logs without end"
    # A host in an image's name has a dot or a port before its first slash.
    if re.match(r"[^/]*[.:][^/]*/", service["image"]) or not re.search(r":[\w.${}-]+$", service["image"]):
        yield f"uses the image {service['image']}: a name without a registry, with a tag"
    for variable, value in (service.get("environment") or {}).items():
        is_secret = re.search(r"PASSWORD|SECRET|TOKEN|_KEY", variable)
        if is_secret and not re.search(r"(_FILE|_DIR|_CMD)$", variable):
            yield f"has the secret {variable} in its environment"
        # The password of a URL that carries one stands in a file.
        if re.search(r"://[^/{]*:[^{/]+@", str(value)):
            yield f"has a password in {variable}"
    for wanted, how in service.get("depends_on", {}).items():
        right = "service_completed_successfully" if wanted in TASKS else "service_healthy"
        if how.get("condition") != right:
            yield f"waits for {wanted} to be {how.get('condition')}"
        if wanted not in services:
            yield f"waits for {wanted}, which is no service"


def limits(cpus: str, memory: str) -> dict[str, Any]:
    """The part `deploy` of a service."""
    return {"resources": {"limits": {"cpus": cpus, "memory": memory}}}


def broken(compose: dict[str, Any], service: str, **changes: Any) -> dict[str, Any]:
    """The file with a service that is other than it should be."""
    changed = copy.deepcopy(compose)
    for key, value in changes.items():
        if value is None:
            changed["services"][service].pop(key)
        else:
            changed["services"][service][key] = value
    return changed


def test_the_stack_keeps_every_rule(compose: dict[str, Any]) -> None:
    assert list(faults(compose)) == []


@pytest.mark.parametrize(
    ("service", "changes", "told"),
    [
        ("superset", {"ports": ["8088:8088"]}, "superset publishes 8088:8088"),
        ("superset", {"ports": ["0.0.0.0:${KEEPWELL_SUPERSET_PORT:-8088}:8088"]}, "superset publishes"),
        ("mlflow", {"healthcheck": {"test": ["NONE"]}}, "mlflow has no whole health check"),
        ("mlflow", {"healthcheck": None}, "mlflow has no whole health check"),
        ("metadata", {"restart": "no"}, "metadata restarts no"),
        ("first-run", {"restart": "unless-stopped"}, "first-run is a task and restarts unless-stopped"),
        ("redis", {"deploy": limits("8", "1g")}, "redis has the limits"),
        ("redis", {"deploy": limits("${KEEPWELL_CPUS:-2}", "")}, "redis has the limits"),
        ("redis", {"cap_drop": []}, "redis keeps capabilities"),
        ("redis", {"security_opt": []}, "redis keeps capabilities"),
        ("warehouse", {"cap_add": ["SYS_ADMIN"]}, "warehouse adds the capabilities"),
        ("superset", {"cap_add": ["CHOWN"]}, "superset adds capabilities"),
        ("superset", {"privileged": True}, "superset is not alone"),
        ("superset", {"init": None}, "superset has no init"),
        ("superset", {"logging": None}, "superset has no init or logs"),
        ("superset", {"image": "registry.example:5000/superset:6"}, "superset uses the image"),
        ("superset", {"image": "example.org/superset:6"}, "superset uses the image"),
        ("superset", {"image": "superset"}, "superset uses the image"),
        ("metadata", {"environment": {"POSTGRES_PASSWORD": "postgres"}}, "metadata has the secret"),
        ("warehouse", {"environment": {}}, "the warehouse does not sort text"),
        ("airflow-scheduler", {"secrets": ["pseudonym_key", "keepwell_owner"]}, "airflow-scheduler may read"),
        ("superset", {"environment": {"URL": "postgresql://a:b@metadata/x"}}, "superset has a password"),
        ("superset", {"depends_on": {"mlflow": {"condition": "service_started"}}}, "superset waits for"),
        ("superset", {"secrets": ["keepwell_owner"]}, "superset may read the passwords"),
        ("superset", {"secrets": ["unheard_of"]}, "superset asks for secrets that nothing declares"),
        ("mlflow", {"networks": ["metadata", "warehouse"]}, "mlflow is in the networks"),
        ("redis", {"secrets": []}, None),
    ],
)  # fmt: skip
def test_a_broken_rule_is_seen(
    compose: dict[str, Any], service: str, changes: dict[str, Any], told: str | None
) -> None:
    found = list(faults(broken(compose, service, **changes)))
    if told is None:  # the scheduler and the worker read it still
        assert found == []
    else:
        assert any(fault.startswith(told) for fault in found), found


def test_a_network_that_reaches_out_and_a_secret_that_nobody_reads_are_seen(compose: dict[str, Any]) -> None:
    changed = copy.deepcopy(compose)
    changed["networks"]["metadata"] = None
    changed["secrets"]["spare"] = {"file": "x"}
    assert list(faults(changed)) == [
        "the network metadata is not internal", "secrets that nobody reads: ['spare']",
    ]  # fmt: skip


def test_no_secret_comes_from_a_variable() -> None:
    """A variable has a default and can be read by every process of the caller: what is secret is a file."""
    named = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    assert len(named) > 20
    places = {"KEEPWELL_SECRETS", "KEEPWELL_SMTP_PASSWORD_FILE"}
    assert {name for name in named if re.search(r"PASSWORD|SECRET|TOKEN|_KEY", name)} == places


def test_every_variable_of_the_file_is_told_in_the_example() -> None:
    named = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    assert sorted(name for name in named if not re.search(rf"^#?{name}=", example, re.MULTILINE)) == []


class TestSecrets:
    def test_make_secrets_makes_what_the_file_declares(self, compose: dict[str, Any], tmp_path: Path) -> None:
        made = load_script("make_secrets").make(tmp_path / "secrets")
        declared = {name: entry["file"] for name, entry in compose["secrets"].items()}
        # The mail server's password is the bank's own.
        assert declared.pop("smtp_password") == "${KEEPWELL_SMTP_PASSWORD_FILE:-/dev/null}"
        assert declared == {name: f"${{KEEPWELL_SECRETS:-./secrets}}/{name}" for name in made}

    def test_secrets_are_random_closed_and_never_written_again(self, tmp_path: Path) -> None:
        folder = tmp_path / "secrets"
        command = [sys.executable, str(PROJECT / "docker" / "make_secrets.py"), str(folder)]
        first = subprocess.run(command, capture_output=True, text=True, check=True)
        values = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
        assert len(set(values.values())) == len(values)
        assert min(len(value) for value in values.values()) >= 44
        assert not any(value in first.stdout + first.stderr for value in values.values())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o444}
        (folder / "redis").unlink()
        again = subprocess.run(command, capture_output=True, text=True, check=True)
        assert again.stdout == f"{folder}: made redis\n"
        now = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
        assert now.pop("redis") != values.pop("redis")
        assert now == values

    def test_the_folder_is_kept_out_of_git_and_of_images(self) -> None:
        assert "/secrets/" in (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines()
        ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        assert ignored[1] == "*"
        assert not any(line.startswith("!secrets") for line in ignored)

    def test_a_secret_in_a_url_is_encoded_and_a_missing_one_told(self, tmp_path, monkeypatch, capsys) -> None:
        script = load_script("secret_url")
        monkeypatch.setattr(script, "FOLDER", tmp_path)
        (tmp_path / "word").write_text("a/b@c\n", encoding="utf-8")
        assert script.main("word", "redis://:{}@redis/0") == 0
        assert script.main("word") == 0
        assert capsys.readouterr().out == "redis://:a%2Fb%40c@redis/0a/b@c"
        (tmp_path / "empty").write_text("\n", encoding="utf-8")
        assert (script.main("empty"), script.main("none")) == (1, 1)
        assert "make secrets" in capsys.readouterr().err


def dockerfile_faults(text: str) -> Iterator[str]:
    """Every rule that a Dockerfile breaks."""
    # A comment, or a continued line, is no instruction of its own.
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    if len(starts) < 2:
        yield "has one stage"
    for number in starts:
        if lines[number].split()[1] != "python:3.11-slim-bookworm":
            yield f"is built on {lines[number].split()[1]}"
    last = lines[starts[-1] :]
    users = [line.split()[1] for line in last if line.startswith("USER ")]
    if not users or not re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1]):
        yield f"runs as {users[-1:] or 'root'}"
    if any(re.search(r"\bpip\b|\bapt-get\b|\bgcc\b|\buv\b", line) for line in last if line.startswith("RUN")):
        yield "installs in its last stage"
    installs = [line for line in lines if re.search(r"pip install", line)]
    if not installs or not all("--require-hashes" in line for line in installs):
        yield "installs without hashes"
    if any(re.search(r"https?://|--index-url|--trusted-host", line) for line in lines):
        yield "names a registry"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_is_locked_small_and_not_roots(path: Path) -> None:
    assert list(dockerfile_faults(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("USER 10001:10001", "USER root", "runs as ['root']"),
        ("USER 10001:10001", "", "runs as root"),
        ("--require-hashes --compile-bytecode", "--compile-bytecode", "installs without hashes"),
        ("FROM python:3.11-slim-bookworm\n", "FROM python:latest\n", "is built on python:latest"),
        ("WORKDIR", "RUN pip install --require-hashes x\nWORKDIR", "installs in its last stage"),
        ("RUN python3", "RUN curl https://registry.example/ && python3", "names a registry"),
    ],
)
def test_a_broken_dockerfile_is_seen(old: str, new: str, told: str) -> None:
    text = (PROJECT / "docker" / "airflow" / "Dockerfile").read_text(encoding="utf-8")
    assert old in text
    assert told in list(dockerfile_faults(text.replace(old, new)))


def test_every_image_that_is_built_here_has_its_dockerfile(compose: dict[str, Any]) -> None:
    built = {
        PROJECT / service["build"]["dockerfile"]
        for service in compose["services"].values()
        if "build" in service
    }
    assert built == set(DOCKERFILES)
    assert len(DOCKERFILES) == 3
    for name in ("keepwell-airflow", "keepwell-superset", "keepwell-mlflow"):
        builders = [
            service
            for service in compose["services"].values()
            if service["image"].startswith(f"{name}:") and "build" in service
        ]
        assert len(builders) == 1, name


def locked(path: Path) -> dict[str, str]:
    """Name and version of every package of a lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def without_hash(text: str) -> list[str]:
    """The packages of a lock that have none."""
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return [
        entry.split()[0]
        for entry in entries
        if re.match(r"[a-z0-9]", entry) and "--hash=sha256:" not in entry
    ]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_package_of_a_lock_has_a_hash_and_no_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert locked(path)
    assert without_hash(text) == []
    assert "://" not in text
    assert without_hash("a==1 \\\n    --hash=sha256:0\nb==2\n") == ["b==2"]


class TestLockOfAirflow:
    """Tests run in the project's environment; what they prove has to hold in the image too."""

    project = locked(PROJECT / "requirements.lock")
    image = locked(PROJECT / "docker" / "airflow" / "requirements.lock")

    def test_it_has_the_versions_that_were_tested(self) -> None:
        other = {
            name: (version, self.project[name])
            for name, version in self.image.items()
            if name in self.project and version != self.project[name]
        }
        assert other == {}

    def test_it_has_what_the_project_asks_for_and_no_tests_or_linters(self) -> None:
        asked, _, for_tests = (
            (PROJECT / "requirements.in").read_text(encoding="utf-8").partition("# tests and linters")
        )
        assert for_tests

        def names(text: str) -> set[str]:
            return set(re.findall(r"^([a-z0-9-]+)", text, re.MULTILINE))

        assert names(asked) - set(self.image) == set()
        assert {"pytest", "hypothesis", "ruff", "mypy", "sqlfluff", "yamllint"} & set(self.image) == set()
        own = names((PROJECT / "docker" / "airflow" / "requirements.in").read_text(encoding="utf-8"))
        assert own
        assert own - set(self.image) == set()

    def test_the_server_of_mlflow_has_the_version_of_its_client(self) -> None:
        server = locked(PROJECT / "docker" / "mlflow" / "requirements.lock")
        assert server["mlflow"] == self.project["mlflow-skinny"]

    def test_uv_is_that_of_the_makefile(self) -> None:
        makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
        version = re.search(r"^UV_VERSION := (\S+)", makefile, re.MULTILINE)
        assert version is not None
        assert locked(PROJECT / "docker" / "uv" / "requirements.lock") == {"uv": version[1]}


def test_no_file_of_the_images_names_a_host_of_a_registry() -> None:
    files = [
        path for path in (PROJECT / "docker").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert len(files) > 10
    named = [
        f"{path.name}: {host}"
        for path in [*files, COMPOSE]
        for host in re.findall(r"https?://([\w.-]+)", path.read_text(encoding="utf-8"))
        if "." in host and not host.startswith("127.")
    ]
    assert named == []
