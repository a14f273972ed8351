def bench_lookup(): "x"
