"""Tools around the lab: a server and a browser for tests and benchmarks, screenshots."""
