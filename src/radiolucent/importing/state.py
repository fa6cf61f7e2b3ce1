"""Checkpoint files: weights alone, never objects that would run code."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from radiolucent.errors import EngineError, SettingsError

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net")
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
CHUNK = 1 << 20
CONVERT = (
    'On a machine where you trust the file: torch.save(torch.load(FILE, weights_only=False).state_dict(), "state.pt"), '
    "then pass --checkpoint state.pt."
)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def load_into(network: nn.Module, path: Path, *, ignore: tuple[str, ...] = ()) -> None:
    """Load a state dict (``.pt``, ``.pth`` with ``weights_only=True``, or ``.safetensors``) into a network.

    A dict around it (``state_dict``, ``model``, ...) and a prefix that every key has (``module.``, ``model.``) are
    taken off. Keys in ``ignore`` may be there and are not loaded.

    Raises
    ------
    SettingsError
        ``no_such_path``.
    EngineError
        ``import_checkpoint``: a whole pickled model, another file, or weights of another network.
    """
    if not path.is_file():
        raise SettingsError(
            "no_such_path",
            found=f"no file at {path}",
            expected="a checkpoint file",
            action="Check the path given with --checkpoint.",
        )
    found = {key: value for key, value in _tensors(_read(path), path).items() if key not in ignore}
    state = _without_prefix(found, set(network.state_dict()))
    _fits(network, state, path)
    network.load_state_dict(state)


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except ModuleNotFoundError as error:
        raise _refused(
            path, "a .safetensors file, but no package safetensors", "Run: pip install safetensors."
        ) from error
    except pickle.UnpicklingError as error:
        found = "objects beside tensors (a whole pickled model would run code when loaded; it is not loaded)"
        raise _refused(path, found, CONVERT) from error
    except Exception as error:
        raise _refused(path, f"no checkpoint of torch ({type(error).__name__})", CONVERT) from error


def _refused(path: Path, found: str, action: str) -> EngineError:
    return EngineError(
        "import_checkpoint",
        found=f"in {path.name} {found}",
        expected="a state dict of this network: names and tensors alone",
        action=action,
    )


def _tensors(loaded: object, path: Path) -> dict[str, torch.Tensor]:
    for _ in range(2):
        if isinstance(loaded, Mapping):
            inner = [loaded[name] for name in WRAPPERS if isinstance(loaded.get(name), Mapping)]
            loaded = inner[0] if inner else loaded
    if not isinstance(loaded, Mapping) or not loaded:
        raise _refused(path, f"a {type(loaded).__name__}", CONVERT)
    if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in loaded.items()):
        raise _refused(path, "a dict that holds more than tensors", CONVERT)
    return dict(loaded)


def _without_prefix(state: dict[str, torch.Tensor], wanted: set[str]) -> dict[str, torch.Tensor]:
    for _ in PREFIXES:
        common = [p for p in PREFIXES if all(key.startswith(p) for key in state)]
        if not common or set(state) <= wanted:
            break
        state = {key.removeprefix(common[0]): value for key, value in state.items()}
    return state


def _fits(network: nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    own = network.state_dict()
    missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    other = sorted(key for key in set(own) & set(state) if own[key].shape != state[key].shape)
    if missing or unknown or other:
        words = [
            f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
            for what, keys in (("missing", missing), ("unknown", unknown), ("of another shape", other))
            if keys
        ]
        raise _refused(
            path,
            "weights of another network: " + ", ".join(words),
            "Check the name of the network, the number of classes in the findings file and of input channels.",
        )
