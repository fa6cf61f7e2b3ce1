"""What an engine must prove before it may speak: hash, shapes, and that its evidence adds up to its score."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from radiolucent.engines.manifest import parse
from radiolucent.engines.package import MANIFEST, PackageFiles
from radiolucent.errors import EngineError
from radiolucent.records.engine import EngineSpec

OUTPUTS = ("logits", "evidence", "embedding")
FURTHER = ("anatomy", "novelty", "guards")
COMPLETENESS_LIMIT = 1e-4
"""Per unit of the summed absolute evidence of a finding (at least 1): single precision rounds in proportion to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A checked engine: its manifest and the session that runs its graph (thread-safe)."""

    spec: EngineSpec
    session: ort.InferenceSession
    card: str
    completeness_error: float


def open_session(graph: bytes, *, threads: int | None = None) -> ort.InferenceSession:
    """An ONNX Runtime session on the CPU; ``threads`` bounds its own pool (None: one per core).

    Its threads sleep while they have nothing to do: by default they spin, which takes the processor from whatever else
    there is to be done, such as the report of the image before.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _refuse(code: str, found: str, expected: str) -> EngineError:
    return EngineError(code, found=found, expected=expected, action="Install the package again, or report it.")


def probe_image(spec: EngineSpec) -> NDArray[np.float32]:
    """``[2, C, H, W]``: a smooth pattern and seeded noise, normalised as the engine wants it."""
    rows, columns, channels = spec.input.rows, spec.input.columns, len(spec.input.channels)
    wave = np.sin(np.linspace(0, 9, rows))[:, None] * np.cos(np.linspace(0, 7, columns))[None, :]
    noise = np.random.default_rng(7).random((channels, rows, columns))
    images = np.stack([np.broadcast_to(wave * 0.5 + 0.5, (channels, rows, columns)), noise])
    return np.asarray((images - spec.input.mean) / spec.input.std, dtype=np.float32)


def completeness(spec: EngineSpec, logits: NDArray[np.float32], evidence: NDArray[np.float32]) -> float:
    """Largest ``abs(sum(evidence_k) + b_k - logit_k)`` over a batch, in logits."""
    bias = np.array([f.bias for f in spec.findings])
    total = evidence.astype(np.float64).sum(axis=(2, 3)) + bias
    return float(np.abs(total - logits).max())


def load(files: PackageFiles, *, threads: int | None = None) -> Engine:
    """Read a package and check it (design, section 5).

    Raises
    ------
    EngineError
        ``engine_manifest``, ``engine_incomplete``, ``engine_hash``, ``engine_graph``, ``engine_shape`` or
        ``engine_completeness``.
    """
    spec = parse(files.read(MANIFEST))
    graph = files.read("model.onnx")
    digest = hashlib.sha256(graph).hexdigest()
    if digest != spec.sha256:
        raise _refuse("engine_hash", f"model.onnx with SHA-256 {digest[:12]}...", f"{spec.sha256[:12]}... (manifest)")
    card = files.read("CARD.md").decode("utf-8", errors="replace")
    try:
        session = open_session(graph, threads=threads)
    except Exception as error:
        raise _refuse(
            "engine_graph", f"a graph that does not load ({type(error).__name__})", "an ONNX graph"
        ) from error
    return Engine(spec=spec, session=session, card=card, completeness_error=_probe(spec, session))


def _probe(spec: EngineSpec, session: ort.InferenceSession) -> float:
    names = tuple(o.name for o in session.get_outputs())
    if names[: len(OUTPUTS)] != OUTPUTS:
        further = f" (then {', '.join(FURTHER)} where there are any)"
        raise _refuse("engine_shape", f"outputs {', '.join(names)}", ", ".join(OUTPUTS) + further)
    images = probe_image(spec)
    try:
        outputs = dict(zip(names, session.run(list(names), {session.get_inputs()[0].name: images}), strict=True))
        logits, evidence, embedding = (outputs[name] for name in OUTPUTS)
    except Exception as error:
        raise _refuse("engine_shape", f"a graph that does not take {images.shape}", "[N, C, H, W]") from error
    count, findings = len(images), len(spec.findings)
    if logits.shape != (count, findings) or evidence.shape[:2] != (count, findings) or evidence.ndim != 4:
        raise _refuse(
            "engine_shape",
            f"logits {logits.shape}, evidence {evidence.shape}",
            f"({count}, {findings}) and ({count}, {findings}, h, w) for {findings} findings",
        )
    if embedding.ndim != 2 or not all(np.isfinite(a).all() for a in (logits, evidence, embedding)):
        raise _refuse("engine_shape", f"embedding {embedding.shape} or values that are not finite", "[N, D], finite")
    _further(spec, outputs, count)
    missed = completeness(spec, logits, evidence)
    size = max(1.0, float(np.abs(evidence).sum(axis=(2, 3), dtype=np.float64).max()))
    if missed > COMPLETENESS_LIMIT * size:
        limit = f"{COMPLETENESS_LIMIT * size:.2g} at this size of evidence"
        raise _refuse("engine_completeness", f"evidence that misses its logit by {missed:.2g}", limit)
    return missed


def _further(spec: EngineSpec, outputs: dict[str, NDArray[np.float32]], count: int) -> None:
    """The optional outputs must be what the manifest says of them."""
    regions = 0 if spec.anatomy is None else len(spec.anatomy.regions)
    guards = len(spec.content_guards)
    wanted = {
        "anatomy": (count, regions) if regions else None,
        "novelty": (count,) if spec.novelty_limit is not None else None,
        "guards": (count, guards) if guards else None,
    }
    for name, shape in wanted.items():
        found = outputs.get(name)
        have = None if found is None else found.shape[: 2 if name == "anatomy" else None]
        if have != shape or (found is not None and not np.isfinite(found).all()):
            raise _refuse("engine_shape", f"output {name} of shape {have}", f"{shape}, finite, as the manifest says")
