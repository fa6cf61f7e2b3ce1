"""Who may do what: roles and permissions, passwords, sessions. Rules only; what is kept is in the store."""
