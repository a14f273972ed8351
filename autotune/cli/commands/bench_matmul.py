def bench_matmul(): "x"
