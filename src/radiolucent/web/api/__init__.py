"""The API of the page: who calls is found out by the gate, what they may do by one table."""
