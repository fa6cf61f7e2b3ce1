"""Run one engine on a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radiolucent.engines.checks import Engine
from radiolucent.errors import InvariantBroken
from radiolucent.records.image import Inference, ModelInput


def run(engine: Engine, inputs: Sequence[ModelInput]) -> list[Inference]:
    """Logits, evidence, embedding (and anatomy where trained) of every input, from one forward pass.

    Parameters
    ----------
    inputs
        Arrays ``[C, H, W]`` of the engine's own shape.

    Raises
    ------
    InvariantBroken
        ``not_finite`` when the graph gives values that are not finite for finite input.
    """
    if not inputs:
        return []
    session = engine.session
    names = [o.name for o in session.get_outputs()]
    batch = np.stack([item.array for item in inputs])
    outputs = dict(zip(names, session.run(names, {session.get_inputs()[0].name: batch}), strict=True))
    if not all(np.isfinite(outputs[name]).all() for name in ("logits", "evidence")):
        raise InvariantBroken(
            "not_finite", found="scores that are not finite", expected="finite scores", action="Report this image."
        )
    anatomy, novelty, guards = (outputs.get(name) for name in ("anatomy", "novelty", "guards"))
    return [
        Inference(
            logits=outputs["logits"][i],
            evidence=outputs["evidence"][i],
            embedding=outputs["embedding"][i],
            anatomy=None if anatomy is None else anatomy[i],
            novelty=None if novelty is None else float(novelty[i]),
            guards=() if guards is None else tuple(float(value) for value in guards[i]),
        )
        for i in range(len(inputs))
    ]
