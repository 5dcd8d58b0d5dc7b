"""Holds the files that the server is run with to each other: what no schema can say of them.

Prints what is wrong, a line each, and fails if anything is.
"""

from __future__ import annotations

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Words in the names of variables whose values are nobody else's business.
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|DATABASE_URL|SMTP_URL")


def text(path: str) -> str:
    """A file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def found(pattern: str, path: str) -> list[str]:
    """What a pattern's group finds in a file."""
    return re.findall(pattern, text(path), flags=re.MULTILINE)


def compose_problems() -> list[str]:
    """What is wrong with docker-compose.yml."""
    compose = yaml.safe_load(text("docker-compose.yml"))
    services = compose["services"]
    problems = []
    for name, service in services.items():
        problems += [f"{name}: {problem}" for problem in service_problems(service, compose)]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    opening = text("docker-compose.yml").split("\nname:")[0]
    problems += [f"the opening does not say what the profile {name} is" for name in sorted(profiles) if f"#     {name} " not in opening]
    # What is put in from outside has a line in .env.example, where people look for it.
    asked = set(found(r"(?<!\$)\$\{([A-Z0-9_]+)", "docker-compose.yml"))
    problems += [f".env.example says nothing of {name}" for name in sorted(asked) if name not in text(".env.example")]
    return problems


def service_problems(service: dict, compose: dict) -> list[str]:
    """What is wrong with one service: names that lead nowhere, doors that are open."""
    problems = [f"needs {name}, which is no service" for name in service.get("depends_on", {}) if name not in compose["services"]]
    problems += [f"is on {name}, which is no network" for name in service.get("networks", []) if name not in compose["networks"]]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("./") and not (ROOT / source).is_file():
            problems.append(f"mounts {source}, which is not there")
        if not source.startswith(".") and source not in compose["volumes"]:
            problems.append(f"mounts {source}, which is no volume")
    if service.get("read_only") is not True:
        problems.append("may write into its image: read_only: true")
    if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
        problems.append("has rights that it does not need: cap_drop: [ALL] and no-new-privileges:true")
    if "restart" not in service or "logging" not in service:
        problems.append("has no restart policy, or a log without bounds")
    for name, value in service.get("environment", {}).items():
        is_put_in = not value or str(value).startswith("${") or name.endswith("_FILE")
        if SECRET.search(name) and not is_put_in:
            problems.append(f"has a secret in the file: {name}")
    is_proxy = service.get("profiles") == ["proxy"]
    problems += [f"opens {port} to the network" for port in service.get("ports", []) if not is_proxy and not port.startswith("127.0.0.1:")]
    return problems


def kubernetes_problems() -> list[str]:
    """What is wrong with the kustomizations: what they name must be there."""
    problems = []
    for kustomization in sorted((ROOT / "deploy/kubernetes").rglob("kustomization.yaml")):
        told = yaml.safe_load(kustomization.read_text(encoding="utf-8"))
        named = told["resources"] + [env for generator in told.get("configMapGenerator", []) for env in generator["envs"]]
        where = kustomization.parent
        problems += [f"{where.relative_to(ROOT)} names {name}, which is not there" for name in named if not (where / name).exists()]
    return problems


def build_problems() -> list[str]:
    """What the image is compiled from, and does not get."""
    members = re.findall(r'"([^"]+)"', found(r"^members = \[([^\]]*)\]", "Cargo.toml")[0])
    sent = set(found(r"^!(.+)$", ".dockerignore"))
    return [f".dockerignore keeps the crate {name} from the image: !{name}" for name in members if name not in sent]


def disagreements() -> list[str]:
    """Facts that stand in several files, and must be the same in all."""
    same = {
        "the version of Rust": [
            *found(r'^rust-version = "([\d.]+)"', "Cargo.toml"),
            *found(r"^FROM rust:(\d+\.\d+)", "Dockerfile"),
        ],
        "the version of PostgreSQL": found(r"image: postgres:([\w.-]+)", "docker-compose.yml"),
        "the server's user": [
            *found(r"^USER (\d+):", "Dockerfile"),
            *found(r"server=(\d+)", "deploy/compose/make-secrets.sh"),
            *found(r"(?:runAsUser|runAsGroup|fsGroup): (\d+)", "deploy/kubernetes/base/deployment.yaml"),
        ],
        "the version of the server": [
            *found(r'^version = "([\d.]+)"', "Cargo.toml"),
            *found(r"newTag: ([\d.]+)", "deploy/kubernetes/example/kustomization.yaml"),
        ],
        "the drain delay": [
            *found(r'OTRACE_DRAIN_DELAY: "(\d+)"', "docker-compose.yml"),
            *found(r'OTRACE_DRAIN_DELAY, value: "(\d+)"', "deploy/kubernetes/base/deployment.yaml"),
        ],
        "the time to stop in": [
            *found(r"^  stop_grace_period: (\d+)s", "docker-compose.yml"),
            *found(r"terminationGracePeriodSeconds: (\d+)", "deploy/kubernetes/base/deployment.yaml"),
        ],
    }
    problems = [f"{fact} is {' and '.join(sorted(set(values)))}" for fact, values in same.items() if len(set(values)) != 1]
    problems += [f"{fact} is not told where it was" for fact, values in same.items() if len(values) < 2]
    return problems


def main() -> None:
    """Checks all of it."""
    problems = compose_problems() + kubernetes_problems() + build_problems() + disagreements()
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
