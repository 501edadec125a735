module esod.dev/tests/bench/limit

go 1.22
