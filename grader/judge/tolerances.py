"""Absolute tolerances by name, for values of about one in magnitude. `docs/decisions/` says where they come from."""

FLOAT64 = 1e-10  # float64 against float64: only the order of summation differs
FLOAT64_CONSTANT = 1e-7  # float64 throughout but for a constant, which torch.tensor(0.8) makes a float32
FLOAT32_OP = 1e-6  # one elementwise operation: about ten units in the last place
FLOAT32_LAYER = 1e-5  # a layer: some dozens of terms are summed in another order
FLOAT32_MODEL = 1e-4  # a stack of layers
FLOAT16 = 2e-3  # 11 bits of mantissa, a handful of roundings
BFLOAT16 = 1e-2  # 8 bits of mantissa
LARGEST_SHARE = 0.01  # of the median expected magnitude: what a tolerance may be at most
