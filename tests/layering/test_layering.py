"""DESIGN section 2: who may see whom. Reads the #include lines and the dataplane's ELF header."""

import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import pytest
from sources import BUILD, ROOT, sources

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)

# What quoted includes may begin with. Contracts are named relative to proto/.
CONTRACTS = ("shm/", "wire/", "ipc/", "record/v1/", "config/v1/", "policy/v1/", "measurement/v1/", "export/v1/", "dataplane/v1/")
LITE_CONTRACTS = ("shm/", "wire/", "ipc/", "dataplane/v1/")
# Abseil, which control alone uses, is included with quotes, as its own documentation does.
FOREIGN = ("absl/",)
FULL_RUNTIME = re.compile(r"grpc|google/protobuf|tbb/|oneapi/|sqlite3|prometheus/|spdlog/|absl/")
DPDK = re.compile(r"^rte_")

CPP = sources(".h", ".cc", below=("dataplane", "control", "proto", "bench", "tests"))


@lru_cache(maxsize=None)
def includes(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a file includes of ours, and of others."""
    found = INCLUDE.findall((ROOT / path).read_text())
    ours = tuple(quoted for quoted, _ in found if quoted and not quoted.startswith(FOREIGN))
    theirs = tuple(quoted or angled for quoted, angled in found if angled or quoted.startswith(FOREIGN))
    return ours, theirs


def resolve(name: str) -> Path | None:
    """The source file a quoted include names; None for generated and foreign ones."""
    for candidate in (Path("proto") / name, Path(name)):
        if (ROOT / candidate).is_file():
            return candidate
    return None


@lru_cache(maxsize=None)
def reached(path: Path) -> frozenset[str]:
    """Every quoted include a file sees, directly or through other files of ours."""
    seen: set[str] = set()
    waiting = list(includes(path)[0])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            target = resolve(name)
            waiting.extend(includes(target)[0] if target else ())
    return frozenset(seen)


def below(*parts: str) -> list[Path]:
    return [path for path in CPP if any(path.is_relative_to(part) for part in parts)]


def violations(paths: list[Path], is_wrong) -> list[str]:
    return [f"{path} sees {name}" for path in paths for name in sorted(reached(path)) if is_wrong(name)]


def is_contract(name: str) -> bool:
    return name.startswith(CONTRACTS)


def test_the_rules_have_something_to_judge():
    for component in ("dataplane", "control", "proto"):
        assert below(component), f"no sources in {component}/"


def test_dataplane_sees_itself_and_the_lite_contracts():
    assert not violations(below("dataplane"), lambda name: not name.startswith(("dataplane/", *LITE_CONTRACTS)))


def test_control_sees_itself_and_the_contracts():
    assert not violations(below("control"), lambda name: not (name.startswith("control/") or is_contract(name)))


def test_contracts_see_only_contracts():
    assert not violations(below("proto"), lambda name: not is_contract(name))


def test_packet_path_never_sees_ipc():
    assert not violations(below("dataplane/tx", "dataplane/rx"), lambda name: name.startswith(("ipc/", "dataplane/ipc/")))


def test_command_line_sees_only_contracts_and_itself():
    assert not violations(
        below("control/cli"), lambda name: not (name.startswith("control/cli/") or is_contract(name))
    )


def test_no_server_library_in_the_dataplane_and_no_dpdk_in_control():
    wrong = [f"{path}: <{name}>" for path in below("dataplane", "proto/shm", "proto/wire", "proto/ipc")
             for name in includes(path)[1] if FULL_RUNTIME.search(name)]
    wrong += [f"{path}: <{name}>" for path in below("control", "proto") for name in includes(path)[1] if DPDK.search(name)]
    assert not wrong


def test_includes_are_paths_from_the_root_or_from_proto():
    """Nothing relative, nothing that is not there."""
    generated = re.compile(
        r"^(record|config|policy|measurement|export|dataplane)/v1/\w+\.(grpc\.)?pb\.h$"
        r"|^control/export/delivery/postgres_migrations\.h$"
    )
    assert not [
        f'{path}: "{name}"'
        for path in CPP
        for name in includes(path)[0]
        if not generated.match(name) and resolve(name) is None
    ]


def test_header_guards_name_the_path():
    wrong = []
    for path in sources(".h"):
        guard = "WEIR_" + re.sub(r"\W", "_", str(path)).upper() + "_"
        if f"#ifndef {guard}\n#define {guard}\n" not in (ROOT / path).read_text():
            wrong.append(f"{path}: {guard}")
    assert not wrong


def compile_command(component: str) -> list[str]:
    """How the build compiles the files of this component that see the most, without input and output."""
    commands = []
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        ours = any(path.is_relative_to(top / component) for top in (ROOT, BUILD)) and ".pb." not in path.name
        if ours and path.suffix in (".cc", ".cpp"):  # .cpp: a unit of several .cc files.
            words = shlex.split(entry["command"])
            words = words[1 if "ccache" in words[0] else 0:]
            commands.append([word for word in words if word not in (entry["file"], "-c")])
    if not commands:
        raise LookupError(component)
    return max(commands, key=len)


def lonely_headers() -> list[Path]:
    """Headers no source file includes first, which would have shown them self-contained."""
    first = {includes(path)[0][0] for path in sources(".cc") if includes(path)[0]}
    return [path for path in sources(".h") if str(path) not in first and str(path).removeprefix("proto/") not in first]


def compile_alone(header: Path, scratch: Path) -> str:
    """What the compiler says against a file that includes only this header."""
    component = header.parts[0]
    try:
        command = compile_command(component)
    except LookupError:
        command = compile_command("control")
    probe = scratch / f"{str(header).replace('/', '_')}.cc"
    probe.write_text(f'#include "{ROOT / header}"\n')
    output = command.index("-o")
    del command[output:output + 2]
    for flag in ("-MQ", "-MF"):
        at = command.index(flag)
        del command[at:at + 2]
    compiled = subprocess.run(
        [*command, "-MF", "/dev/null", "-fsyntax-only", str(probe)], cwd=BUILD, capture_output=True, text=True
    )
    return "" if compiled.returncode == 0 else compiled.stderr


@pytest.fixture(scope="module")
def compiled_alone(tmp_path_factory):
    """Each lonely header to what the compiler said. All at once: one at a time takes a minute."""
    scratch = tmp_path_factory.mktemp("headers")
    headers = lonely_headers()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield dict(zip(headers, pool.map(lambda header: compile_alone(header, scratch), headers)))


@pytest.mark.parametrize("header", lonely_headers(), ids=str)
def test_header_is_self_contained(header: Path, compiled_alone):
    assert compiled_alone[header] == ""


def test_dataplane_needs_no_grpc_tbb_or_full_protobuf():
    binary = BUILD / "dataplane" / "weir-dataplane"
    section = subprocess.run(["readelf", "-d", binary], stdout=subprocess.PIPE, text=True, check=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", section)
    assert any(name.startswith("librte_") for name in needed)
    assert not [name for name in needed if re.match(r"lib(grpc|gpr|tbb|protobuf\.so|sqlite3|ssl|crypto|absl)", name)]
