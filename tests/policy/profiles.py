"""The shipped profiles as messages, and each of them without one of its rules."""

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache

from google.protobuf import text_format
from sources import ROOT

DIRECTORY = ROOT / "deploy/policies"
PROFILES = tuple(sorted(path.stem for path in DIRECTORY.glob("*.textproto")))
# Of a rule, what does not decide by itself.
DESCRIPTIVE = ("name", "effect", "reason", "serves", "scope")


@lru_cache(maxsize=None)
def policy_module():
    with tempfile.TemporaryDirectory(prefix="weir-policy-proto-") as directory:
        proto = ROOT / "proto"
        subprocess.run(
            ["protoc", f"-I{proto}", f"--python_out={directory}", proto / "policy/v1/policy.proto"], check=True
        )
        sys.path.insert(0, directory)
        try:
            return importlib.import_module("policy.v1.policy_pb2")
        finally:
            sys.path.remove(directory)


def load(profile: str):
    return text_format.Parse((DIRECTORY / f"{profile}.textproto").read_text(), policy_module().Policy())


def rule_lists(policy) -> Iterator[tuple[str, object]]:
    """admission, export, ...: every list whose entries have names."""
    for descriptor, value in policy.ListFields():
        if descriptor.label == descriptor.LABEL_REPEATED and "name" in descriptor.message_type.fields_by_name:
            yield descriptor.name, value


def plain_fields(policy) -> list[str]:
    """What the policy as a whole says."""
    return [field.name for field, _ in policy.ListFields() if not field.message_type and field.name != "profile"]


def rules(profile: str) -> list[str]:
    """The profile's rules, PROFILE/LIST/NAME, and its fields, PROFILE/NAME."""
    policy = load(profile)
    named = [f"{profile}/{kind}/{rule.name}" for kind, entries in rule_lists(policy) for rule in entries]
    return named + [f"{profile}/{name}" for name in plain_fields(policy)]


def parts(message, path: str) -> Iterator[tuple[str, object, str, int | None]]:
    """What can be taken out of a rule: its path, then message, field and, of several entries, which."""
    for descriptor, value in message.ListFields():
        if descriptor.name in DESCRIPTIVE:
            continue
        if descriptor.label == descriptor.LABEL_REPEATED:
            for i, entry in enumerate(value):
                name = f"{path}{descriptor.name}"
                if descriptor.message_type:  # A quota: what it is per tells it from the others.
                    name += f".{policy_module().Scope.Name(entry.scope)}"
                    yield name, message, descriptor.name, i
                    yield from parts(entry, name + ".")
                else:
                    yield f"{name}={entry}" if len(value) > 1 else name, message, descriptor.name, i
        elif descriptor.message_type:
            yield from parts(value, f"{path}{descriptor.name}.")
        else:
            yield f"{path}{descriptor.name}", message, descriptor.name, None


def mutants(profile: str) -> Iterator[tuple[str, str]]:
    """The profile without each of its rules, and without each part of one: what was taken out, the text left."""

    def count(of) -> int:
        return sum(1 for _ in of(load(profile)))

    def rules_of(policy) -> Iterator[tuple[str, object, str, int | None]]:
        for name in plain_fields(policy):
            yield f"{profile}/{name}", policy, name, None
        for kind, entries in rule_lists(policy):
            for i, rule in enumerate(entries):
                yield f"{profile}/{kind}/{rule.name}", policy, kind, i
                yield from parts(rule, f"{profile}/{kind}/{rule.name}/")

    for number in range(count(rules_of)):
        policy = load(profile)
        path, message, name, index = list(rules_of(policy))[number]
        if index is None:
            message.ClearField(name)
        else:
            del getattr(message, name)[index]
        yield path, text_format.MessageToString(policy)
