"""An engine on a truth table: figures with intervals, the gate for its maps, and what its package says of them."""
