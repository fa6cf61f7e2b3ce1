"""Synthetic QA studies with a known truth: what a film, a head CT and a bone film look like, roughly.

They test geometry, orientation, windowing and constancy of the whole chain. They are no patients and no measure of
diagnostic performance.
"""

from radiolucent.phantoms.build import KINDS, Phantom, as_kind, build_phantom, write_phantoms
from radiolucent.phantoms.truth import Kind, PhantomTruth

__all__ = ["KINDS", "Kind", "Phantom", "PhantomTruth", "as_kind", "build_phantom", "write_phantoms"]
