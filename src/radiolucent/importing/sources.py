"""Networks of TorchXRayVision, timm, torchvision and MONAI with their weights, as plain classifiers."""

from __future__ import annotations

import contextlib
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from torch import nn

from radiolucent.errors import EngineError, SettingsError
from radiolucent.importing import findings_file, labels, needs, state
from radiolucent.importing.plan import Plan, PlannedInput
from radiolucent.records.engine import Population

MONAI = ("DenseNet121", "DenseNet169", "DenseNet201", "DenseNet264")
XRAY_PREFIXES = ("densenet121-res224-", "resnet50-res512-")
XRAY_NOT_LOADED = ("op_threshs",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A network in eval mode, ``[N,C,S,S]`` to logits ``[N,classes]``, what it means, and where it comes from."""

    network: nn.Module
    plan: Plan
    source: str
    library: str
    library_version: str
    checkpoint: str
    checkpoint_sha256: str


def load(source: str, *, checkpoint: Path | None, findings: Path | None) -> Loaded:
    """Load ``LIBRARY:NAME``.

    Raises
    ------
    SettingsError
        ``import_source``, ``import_options``, ``import_extra``, ``no_such_path``.
    EngineError
        ``engine_download``, ``import_checkpoint``, ``import_findings``.
    """
    library, _, name = source.partition(":")
    if library not in ("torchxrayvision", *BUILDERS) or not name:
        raise _unknown(source, "torchxrayvision:NAME, timm:NAME, torchvision:NAME or monai:NAME")
    needs.require(library)
    if library == "torchxrayvision":
        return _xray(name, checkpoint=checkpoint, findings=findings)
    if checkpoint is None or findings is None:
        raise SettingsError(
            "import_options",
            found=f"{source} without " + ("--checkpoint" if checkpoint is None else "--findings"),
            expected="--checkpoint with trained weights and --findings with what its classes mean",
            action="Pass both; docs/import.md shows a findings file in full.",
        )
    plan = findings_file.read(findings)
    network = BUILDERS[library](name, classes=len(plan.classes), channels=len(plan.input.means))
    state.load_into(network, checkpoint)
    return _loaded(network, plan, source, checkpoint)


def _loaded(network: nn.Module, plan: Plan, source: str, file: Path) -> Loaded:
    library = source.partition(":")[0]
    return Loaded(
        network=network.eval(),
        plan=plan,
        source=source,
        library=library,
        library_version=metadata.version(library),
        checkpoint=file.name,
        checkpoint_sha256=state.sha256_of(file),
    )


def _unknown(source: str, expected: str) -> SettingsError:
    return SettingsError(
        "import_source",
        found=f"the source {source!r}",
        expected=expected,
        action="See docs/import.md.",
    )


def _timm(name: str, *, classes: int, channels: int) -> nn.Module:
    timm = import_module("timm")
    if not timm.is_model(name):
        raise _unknown(f"timm:{name}", "the name of a timm architecture, e.g. timm:resnet18")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=channels)
    return network


def _torchvision(name: str, *, classes: int, channels: int) -> nn.Module:
    models = import_module("torchvision.models")
    if name not in models.list_models(module=models):
        raise _unknown(f"torchvision:{name}", "the name of a torchvision classifier, e.g. torchvision:densenet121")
    if channels != 3:
        raise SettingsError(
            "import_options",
            found=f"torchvision:{name} with one input channel in the findings file",
            expected="3 channels, as every torchvision network has",
            action="Set input.channels = 3 in the findings file.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network: nn.Module = models.get_model(name, weights=None, num_classes=classes)
    return network


def _monai(name: str, *, classes: int, channels: int) -> nn.Module:
    if name not in MONAI:
        raise _unknown(f"monai:{name}", "one of " + ", ".join(f"monai:{n}" for n in MONAI))
    nets = import_module("monai.networks.nets")
    network: nn.Module = getattr(nets, name)(spatial_dims=2, in_channels=channels, out_channels=classes)
    return network


BUILDERS: dict[str, Callable[..., nn.Module]] = {"timm": _timm, "torchvision": _torchvision, "monai": _monai}


def _xray(name: str, *, checkpoint: Path | None, findings: Path | None) -> Loaded:
    with warnings.catch_warnings():  # the library switches every warning off when it is imported
        models = import_module("torchxrayvision.models")
    known = [key for key in models.model_urls if key.startswith(XRAY_PREFIXES)]
    if name not in known:
        raise _unknown(f"torchxrayvision:{name}", "one of " + ", ".join(known))
    if findings is not None:
        raise SettingsError(
            "import_options",
            found=f"--findings with torchxrayvision:{name}",
            expected="no --findings: the library names its own findings",
            action="Leave it out.",
        )
    if checkpoint is None:
        network, file = _downloaded(models, name)
    else:
        network, file = _bare(models, name), checkpoint
        state.load_into(network, file, ignore=XRAY_NOT_LOADED)
    return _loaded(network, xray_plan(name, models.model_urls[name]), f"torchxrayvision:{name}", file)


def _downloaded(models: Any, name: str) -> tuple[nn.Module, Path]:
    """By the library's own loader: from its folder of weights, or else from the network."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            whole = models.get_model(name)
    except OSError as error:
        raise EngineError(
            "engine_download",
            found=f"no weights of torchxrayvision:{name}: the download failed ({type(error).__name__})",
            expected="a connected machine, on which the library's own loader fetches the weights",
            action="Run this command on a connected machine and copy the package, or pass a local file with "
            "--checkpoint FILE: a state dict (names and tensors). The files that the library publishes are whole "
            "pickled models, which would run code when loaded, so --checkpoint does not take them; docs/import.md "
            "says how to make a state dict.",
        ) from error
    except Exception as error:
        raise EngineError(
            "import_checkpoint",
            found=f"weights of torchxrayvision:{name} that the library cannot load ({type(error).__name__})",
            expected="the file that the library publishes",
            action="Remove it from ~/.torchxrayvision/models_data and run the command again.",
        ) from error
    return plain_xray(whole), Path(whole.weights_filename_local)


def _bare(models: Any, name: str) -> nn.Module:
    if name.startswith("densenet"):
        network: nn.Module = models.DenseNet(weights=None, num_classes=len(models.model_urls[name]["labels"]))
        return network
    network = import_module("torchvision.models").resnet50(
        weights=None, num_classes=len(models.model_urls[name]["labels"])
    )
    network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return network


def plain_xray(whole: Any) -> nn.Module:
    """The library's network without what its forward does beside: resizing, sigmoid, scores around operating points.

    Its ``op_norm`` (`torchxrayvision.models`, 1.5) bends the sigmoid of the logits so that each operating point lies
    at 0.5. What is left gives the classifier's logits ``[N, classes]`` for images ``[N,1,S,S]`` in [-1024, 1024].
    """
    if isinstance(getattr(whole, "model", None), nn.Module):
        inner: nn.Module = whole.model
        return inner.eval()
    network: nn.Module = whole
    network.op_threshs = None
    network.apply_sigmoid = False
    if hasattr(network, "input_resolution"):
        del network.input_resolution
    return network.eval()


def xray_plan(name: str, entry: dict[str, Any]) -> Plan:
    """The manifest's part of a TorchXRayVision network, from the library's own table ``model_urls``.

    Classes without a name are left out, and so are those without an operating point: the library has no data of them
    and answers 0.5 whatever the image. Its input, [-1024, 1024], is ``(x - 0.5) / (1 / 2048)`` for x in [0, 1].
    """
    points = entry.get("op_threshs") or [math.nan] * len(entry["labels"])
    classes = [
        replace(labels.finding_of(label), threshold=float(point)) if label and math.isfinite(point) else None
        for label, point in zip(entry["labels"], points, strict=True)
    ]
    silent = [label for label, kept in zip(entry["labels"], classes, strict=True) if label and kept is None]
    about = f" {entry['description'].rstrip('.')}." if "description" in entry else ""
    return Plan(
        id=f"xrv-{name}".replace("_", "-"),
        title=f"TorchXRayVision {name}",
        version="1.0.0",
        license="Apache-2.0 (TorchXRayVision); the training data have terms of their own",
        zones="chest",
        population=Population(
            modalities=("CR", "DX"),
            body_parts=("CHEST", "THORAX", "LUNG"),
            views=("PA", "AP"),
            min_age_years=18,
            intended_use="Research reading of adult frontal chest films, beside a radiologist.",
        ),
        input=PlannedInput(size=int(entry["input_resolution"]), means=(0.5,), stds=(1 / 2048,)),
        classes=tuple(classes),
        notes=(
            f"Trained by the authors of TorchXRayVision (Cohen et al. 2022) on public chest film collections.{about}",
            "Some of those collections allow research only: see the terms of each before any other use.",
        ),
        limits=(
            "Thresholds are the library's operating points, for the sigmoid of the logit. The library bends its scores "
            "around them; the probabilities here are not bent.",
            "The library cuts the middle square out of a film. Radiolucent fits the whole film in and pads it, so "
            "scores can differ from the library's on films that are not square.",
            "Adults and frontal views alone: this limit is set here, not by the library.",
            *([f"Left out, for the library has no data of them: {', '.join(silent)}."] if silent else []),
        ),
    )
