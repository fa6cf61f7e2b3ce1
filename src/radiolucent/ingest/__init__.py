"""From what was offered (files, folders, zips) to source files worth reading, or refusals with a reason."""
