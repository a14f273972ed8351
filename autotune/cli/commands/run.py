def run(): "x"
