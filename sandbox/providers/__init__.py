"""Hold the twins, one package for each provider; `sandbox.registry` lists them."""
