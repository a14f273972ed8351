"""The top of the command line: help, version, exit codes, errors in one line, and what is not imported."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import typer.main

import autotune
from autotune import errors
from autotune.cli.app import app, code_of
from tests.cli.conftest import Invoke

HEAVY = ("numba", "optuna", "rich", "sklearn", "sqlalchemy", "torch", "xgboost")


def commands(command: object = None, *path: str) -> Iterator[tuple[str, ...]]:
    command = command or typer.main.get_command(app)
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, *path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], invoke: Invoke) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"autotune {' '.join(path)}".strip() in result.stdout.partition("Example")[2]
    assert "..." not in result.stdout.partition("Commands:")[2]  # the end of a sentence that does not fit
    assert result.stderr == ""


def test_no_command_shows_the_help(invoke: Invoke) -> None:
    result = invoke()
    assert result.exit_code == 0
    assert "Commands:" in result.stdout


def test_version(invoke: Invoke) -> None:
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"autotune {autotune.__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lst",), "No such command 'lst'. Did you mean 'list'?"),
        (("db",), "Missing command. (see autotune db --help)"),
        (("run",), "name a KERNEL with its --size, or a list"),
        (("run", "matmul"), "give --size, the extents m, k, n or shapes of tensors"),
        (("run", "matmul", "--size", "m=1", "--trials", "0"), "'--trials': Input should be greater than or equal to 1"),
        (("run", "matmul", "--size", "m=1", "--trials", "many"), "'--trials'"),
        (("list", "--jsn"), "No such option"),
        (("db", "export", "-", "--format", "csv"), "'--format'"),
    ],
)
def test_misuse_is_one_line_and_exits_2(words: tuple[str, ...], said: str, invoke: Invoke) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("autotune: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_exit_codes_of_all_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    failures = {kind.__name__ for kind in kinds if code_of(kind("text")) == 1}
    assert failures == {
        "AutotuneError",
        "ConfigError",
        "DatabaseError",
        "DependencyError",
        "DeviceError",
        "FormatError",
        "IndexRangeError",
        "ScheduleError",
    }
    assert {code_of(kind("text")) for kind in kinds} == {1, 2}
    assert code_of(PermissionError("no")) == 1


@pytest.mark.parametrize("words", [("--debug", "show", "nothing"), ("show", "nothing", "--debug")])
def test_debug_lets_the_error_through_wherever_it_stands(words: tuple[str, ...], invoke: Invoke) -> None:
    with pytest.raises(errors.UnknownKernelError):
        invoke(*words)


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import json, sys\n"
        "sys.argv[1:] = json.loads(sys.argv[1])\n"
        "from autotune.cli import main\n"
        "try:\n    main()\n"
        f"finally:\n    sys.stderr.write(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(words)], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr) == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [("autotune do", ["doctor"]), ("autotune show log", ["log_softmax", "logsumexp"]), ("autotune db im", ["import"])],
)
def test_the_shell_completes_commands_and_kernels(line: str, offered: list[str]) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_AUTOTUNE_COMPLETE": "complete_bash"}
    command = [sys.executable, "-c", "from autotune.cli import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | words)
    assert done.stdout.split() == offered


def test_colours_are_for_terminals_and_for_whoever_wants_them() -> None:
    import pty

    def shown(**settings: str) -> str:
        parent, child = pty.openpty()
        command = [sys.executable, "-m", "autotune", "doctor"]
        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        with subprocess.Popen(
            command, stdout=child, env=environment | {"TERM": "xterm-256color"} | settings
        ) as process:
            os.close(child)
            parts = []
            with contextlib.suppress(OSError):  # the end of a terminal
                while part := os.read(parent, 4096):
                    parts.append(part)
        assert process.returncode == 0
        os.close(parent)
        return b"".join(parts).decode()

    green = "\x1b[32m"
    assert green in shown()
    assert green not in shown(NO_COLOR="1")


def test_python_m_autotune(start: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = start("show", "nothing")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    assert stderr.startswith("autotune: there is no built-in kernel 'nothing'")
