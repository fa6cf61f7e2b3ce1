"""What people do with a result, as pure rules: order of the worklist, reading first, leases, decisions, meters."""
