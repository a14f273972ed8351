"""Elementary functions as sequences of LLVM instructions, one for numbers and vectors alike.

Each function takes an `Arithmetic` and values of its type. None branches, so LLVM vectorizes scalar loops that use
them, and a scalar gives the same bits as a lane of a vector (`rsqrt` excepted). float32 is computed in float32. Special
values are those of IEEE 754 and C: infinities, NaN, signed zeros, subnormal arguments and results. `exp_near`,
`log_near`, `sin` and `cos` are for the arguments that most are: `autotune.codegen.vector_math` sees to the others.

The scheme is the usual one (J.-M. Muller, Elementary Functions, 3rd edition, chapters 4 and 11; W. J. Cody and
W. Waite, Software Manual for the Elementary Functions): the argument is reduced to a short interval in two or three
parts of the period by FMAs, where a polynomial approximates the function, and the result is put together again. The
polynomials are minimax fits by Remez exchange in 50 digits, made for this file: the leading coefficients were rounded
to the type one after the other, and the rest fitted again each time.
"""

from typing import Any, NamedTuple

from autotune.codegen.arithmetic import Arithmetic

_LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
_LN_2_SINGLE = (0.693145751953125, 1.428606765330187e-06)
_LN_2_DOUBLE = (0.693147180559663, 2.8235290563031577e-13)

# expm1(r) = r + c[0] r² + c[1] r³ + … for |r| <= ln(2) / 2
_EXP_SINGLE = (0.49999994, 0.16666517, 0.041668102, 0.008369192, 0.0013838881)  # to 2^-28
# … and for |r| <= ln(2), to 2^-26
_EXP_WIDE_SINGLE = (0.50000036, 0.16666616, 0.041661195, 0.008335964, 0.0014105557, 0.00019631025)
_EXP_DOUBLE = (  # to 2^-57
    0.5000000000000011,
    0.16666666666666438,
    0.04166666666652582,
    0.008333333333473797,
    0.0013888888944840207,
    0.00019841269559951616,
    2.480149179241499e-05,
    2.7557531625024067e-06,
    2.7630726489820416e-07,
    2.501939298804995e-08,
)
# log1p(f) = f - f² / 2 + f³ (c[0] + c[1] f + …) for f from sqrt(1/2) - 1 to sqrt(2) - 1, to 2^-26
_LOG_SINGLE = (
    0.3333333,
    -0.25000826,
    0.20001264,
    -0.16623224,
    0.14200799,
    -0.13157785,
    0.12764615,
    -0.076489285,
)
# 2 artanh(s) = 2 s + s³ (c[0] + c[1] s² + …) for 0 <= s <= (sqrt(2) - 1) / (sqrt(2) + 1), to 2^-59
_LOG_DOUBLE = (
    0.6666666666666735,
    0.39999999999408087,
    0.28571428744155436,
    0.2222219836611375,
    0.18183576256313988,
    0.1531371827995782,
    0.1479952401880546,
)
# erf(x) = x + x (c[0] + c[1] x² + …) for |x| <= 1
_ERF_SMALL_SINGLE = (  # to 2^-29
    0.12837917,
    -0.37612626,
    0.11283579,
    -0.026853347,
    0.005187162,
    -0.0007997853,
    7.806904e-05,
)
_ERF_SMALL_DOUBLE = (  # to 2^-56
    0.12837916709551256,
    -0.37612638903183343,
    0.11283791670936957,
    -0.026866170641961527,
    0.005223977596765209,
    -0.0008548325486762251,
    0.00012055280554892058,
    -1.4924466737301695e-05,
    1.6444161900434714e-06,
    -1.618404433463986e-07,
    1.3616707020686e-08,
    -7.60726613863448e-10,
)
# log(1 - erf(x)) = c[0] + c[1] x + … from 1 to where erf(x) rounds to 1; the error is that of erf
_ERF_LARGE_SINGLE = (  # to 2^-33
    0.00017197421,
    -1.1295018,
    -0.63337356,
    -0.1082506,
    0.02510027,
    -0.00416376,
    0.0004329514,
    -2.0964195e-05,
)
_ERF_LARGE_DOUBLE = (  # to 2^-61
    2.683449005071955e-08,
    -1.1283795093544706,
    -0.6366177080415001,
    -0.10278043726317039,
    0.01914943976958443,
    0.00016694223284200604,
    -0.0016298943397792386,
    0.0005070069451191359,
    5.859888244169335e-05,
    -0.00013468280102992987,
    7.746594673887868e-05,
    -2.9786554797721076e-05,
    8.726241899907376e-06,
    -2.024095770292223e-06,
    3.749697720547924e-07,
    -5.509079490067714e-08,
    6.293329013758946e-09,
    -5.39614065177147e-10,
    3.268626847606494e-11,
    -1.24696436755869e-12,
    2.2522778088590806e-14,
)
# sin(r) = r + r³ (c[0] + c[1] r² + …) for |r| <= pi / 4
_SIN_SINGLE = (-0.16666655, 0.008332188, -0.00019518095)  # to 2^-27
_SIN_DOUBLE = (  # to 2^-57
    -0.1666666666666663,
    0.00833333333332184,
    -0.00019841269829358517,
    2.7557313538504557e-06,
    -2.5050734386666532e-08,
    1.5895433071071848e-10,
)
# cos(r) = 1 - r² / 2 + r⁴ (c[0] + c[1] r² + …) for |r| <= pi / 4
_COS_SINGLE = (0.041666646, -0.001388731, 2.4432327e-05)  # to 2^-32
_COS_DOUBLE = (  # to 2^-63
    0.041666666666666595,
    -0.0013888888888873325,
    2.4801587288983604e-05,
    -2.7557314210024575e-07,
    2.0875704260135326e-09,
    -1.1358682570239978e-11,
)
# pi / 2 in three parts of full length: the first FMA that takes one away leaves no rounding error.
_HALF_PI_SINGLE = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
_HALF_PI_DOUBLE = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33)


def exp(on: Arithmetic, x: Any) -> Any:
    """The exponential: `2^n exp(r)` with `x = n ln 2 + r`."""
    r, _, n, whole = _reduced(on, _exp_bounded(on, x))
    return on.scaled(_exp_short(on, r), n, whole)


def exp_near(on: Arithmetic, x: Any) -> Any:
    """`exp` where it is a normal number, the same bits.

    Without bounds, and with a power of two that is added to the exponent: with the test whether it will do, 8 cycles
    in place of 12 for a vector of float32 (Zen 3, 8 lanes).
    """
    r, _, _, whole = _reduced(on, x)
    power = on.builder.shl(whole, on.integer(on.mantissa))
    return on.from_bits(on.builder.add(on.bits(_exp_short(on, r)), power))


def is_exp_near(on: Arithmetic, x: Any) -> Any:
    """Whether a number is one that `exp_near` takes; NaN is none."""
    return on.builder.fcmp_ordered("<=", on.abs(x), on.real(87.0 if on.single else 708.0))


def _exp_bounded(on: Arithmetic, x: Any) -> Any:
    """Beyond these bounds results are 0 and infinity; within, n is small enough for `scaled`."""
    low, high = (-104.0, 89.0) if on.single else (-746.0, 710.0)
    return on.at_most(on.at_least(x, low), high)


def _exp_short(on: Arithmetic, r: Any) -> Any:
    """Of |r| <= ln(2) / 2."""
    if not on.single or on.scales:
        return on.polynomial(r, (1.0, 1.0, *_exp_coefficients(on)))
    # Fewer operations that wait for each other; the last two rounding errors are of less than the result.
    return on.add(on.fma(on.mul(r, r), on.wide_polynomial(r, _EXP_SINGLE), r), on.real(1.0))


def _exp_even(on: Arithmetic, x: Any) -> Any:
    """`exp` with an even power of two, half of which is within the type: four operations and a term more, not eight."""
    if not on.single or on.scales:
        return exp(on, x)
    r, _, _, half = _reduced(on, _exp_bounded(on, x), 2.0)
    return on.scaled_twice(on.polynomial(r, (1.0, 1.0, *_EXP_WIDE_SINGLE)), half)


def _exp_coefficients(on: Arithmetic) -> tuple[float, ...]:
    return _EXP_SINGLE if on.single else _EXP_DOUBLE


class _Reduced(NamedTuple):
    """`x = n period + r + lost` with a whole number `n` and `|r| <= period / 2`; `lost` is what rounding `r` lost."""

    r: Any
    lost: Any
    n: Any
    whole: Any
    """`n` as an integer."""


def _reduced(on: Arithmetic, x: Any, powers: float = 1.0) -> _Reduced:
    """By the period `powers * ln 2`, where `powers` is a power of two."""
    n, whole = on.nearest(on.mul(x, on.real(_LOG2_E / powers)))
    high, low = (on.real(-powers * part) for part in (_LN_2_SINGLE if on.single else _LN_2_DOUBLE))
    exact = on.fma(n, high, x)
    r = on.fma(n, low, exact)
    return _Reduced(r, on.fma(n, low, on.sub(exact, r)), n, whole)


def sigmoid(on: Arithmetic, x: Any) -> Any:
    """`1 / (1 + exp(-x))`, from the exponential of -|x|, which cannot overflow."""
    e = _exp_even(on, on.neg(on.abs(x)))
    one = on.real(1.0)
    return _over_sum(on, on.select(on.less(x, on.real(0.0)), e, one), one, e)


def tanh(on: Arithmetic, x: Any) -> Any:
    """The hyperbolic tangent: `m / (m + 2)` with `m = expm1(2 |x|)`."""
    size = on.abs(x)
    doubled = on.at_most(on.add(size, size), 20.0 if on.single else 44.0)  # from there on the result is 1
    r, lost, _, n = _reduced(on, doubled)
    fraction = on.add(on.fma(on.mul(r, r), on.polynomial(r, _exp_coefficients(on)), lost), r)
    power, one, two = on.power_of_two(n), on.real(1.0), on.real(2.0)
    m = on.fma(power, fraction, on.sub(power, one))
    below = on.less(m, two)
    return on.with_sign_of(_over_sum(on, m, on.select(below, two, m), on.select(below, m, two)), x)


def _over_sum(on: Arithmetic, a: Any, b: Any, c: Any) -> Any:
    """`a / (b + c)` for b >= c; in float64, whose bounds are tighter, with the rounding error of the sum put right."""
    divisor = on.add(b, c)
    if on.single:
        return on.div(a, divisor)
    lost = on.sub(c, on.sub(divisor, b))  # exact (T. J. Dekker, A floating-point technique, 1971)
    inverse = on.div(on.real(1.0), divisor)
    quotient = on.mul(a, inverse)
    rest = on.fma(on.neg(quotient), lost, on.fma(on.neg(quotient), divisor, a))
    return on.fma(rest, inverse, quotient)


def erf(on: Arithmetic, x: Any) -> Any:
    """The error function: a polynomial up to 1, from there on `1 - exp(polynomial)`."""
    small, large = (_ERF_SMALL_SINGLE, _ERF_LARGE_SINGLE) if on.single else (_ERF_SMALL_DOUBLE, _ERF_LARGE_DOUBLE)
    near = on.fma(x, on.polynomial(on.mul(x, x), small), x)
    size = on.at_most(on.abs(x), 4.0 if on.single else 6.0)  # from there on the result is 1
    r, _, _, n = _reduced(on, on.polynomial(size, large))
    complement = on.polynomial(r, (1.0, 1.0, *_exp_coefficients(on)))
    far = on.fma(on.neg(complement), on.power_of_two(n), on.real(1.0))
    return on.select(on.less(size, on.real(1.0)), near, on.with_sign_of(far, x))


def log(on: Arithmetic, x: Any) -> Any:
    """The natural logarithm."""
    lift = on.mantissa + 1
    subnormal = on.less(x, on.real(2.0 ** (1 - on.bias)))
    m, exponent = _split(on, on.select(subnormal, on.mul(x, on.real(2.0**lift)), x))
    exponent = on.select(subnormal, on.builder.sub(exponent, on.integer(lift)), exponent)
    infinity, zero = on.real(float("inf")), on.real(0.0)
    result = on.select(on.less(x, infinity), _log_of(on, m, exponent), x)  # infinity and NaN stay
    result = on.select(on.less(x, zero), on.real(float("nan")), result)
    return on.select(on.equal(x, zero), on.neg(infinity), result)


def log_near(on: Arithmetic, x: Any) -> Any:
    """`log` of positive normal numbers, the same bits, in two thirds of the operations."""
    return _log_of(on, *_split(on, x))


def is_positive_normal(on: Arithmetic, x: Any) -> Any:
    """Whether a number is one that `log_near` takes, by one comparison of integers that wrap around."""
    half, least = 1 << (on.mantissa + (8 if on.single else 11)), 1 << on.mantissa
    numbers = 2 * on.bias * least
    return on.builder.icmp_signed("<", on.builder.add(on.bits(x), on.integer(half - least)), on.integer(numbers - half))


def _log_of(on: Arithmetic, m: Any, exponent: Any) -> Any:
    """`e ln 2 + log(m)` for m from sqrt(1/2) to sqrt(2)."""
    e = on.builder.sitofp(exponent, on.kind)
    f = on.sub(m, on.real(1.0))
    high, low = (on.real(part) for part in (_LN_2_SINGLE if on.single else _LN_2_DOUBLE))
    if on.single:
        square = on.mul(f, f)
        rest = on.fma(on.mul(square, f), on.polynomial(f, _LOG_SINGLE), on.mul(e, low))
        return on.fma(e, high, on.add(f, on.fma(square, on.real(-0.5), rest)))
    # As in fdlibm's e_log.c, which a division lets do with half of the terms.
    s = on.div(f, on.add(f, on.real(2.0)))
    half = on.mul(on.mul(f, f), on.real(0.5))
    square = on.mul(s, s)
    rest = on.fma(s, on.fma(square, on.polynomial(square, _LOG_DOUBLE), half), on.mul(e, low))
    return on.fma(e, high, on.sub(f, on.sub(half, rest)))


def _split(on: Arithmetic, x: Any) -> tuple[Any, Any]:
    """`m` from sqrt(1/2) to sqrt(2) and the integer `e` with `x = m 2^e`, for positive normal x."""
    builder, bits, root = on.builder, on.bits(x), on.bits(on.real(0.5**0.5))
    exponent = builder.ashr(builder.sub(bits, root), on.integer(on.mantissa))
    return on.from_bits(builder.sub(bits, builder.shl(exponent, on.integer(on.mantissa)))), exponent


NEAR_SINGLE, NEAR_DOUBLE = 1e5, 1e6  # up to which `sin` and `cos` here are right


def sin(on: Arithmetic, x: Any) -> Any:
    """The sine of |x| <= `NEAR_SINGLE` or `NEAR_DOUBLE`."""
    r, n = _quadrant(on, x)
    return on.select(on.equal(x, on.real(0.0)), x, _wave(on, r, n))  # so that -0 stays


def cos(on: Arithmetic, x: Any) -> Any:
    """The cosine of |x| <= `NEAR_SINGLE` or `NEAR_DOUBLE`: the sine, one quadrant further on."""
    r, n = _quadrant(on, x)
    return _wave(on, r, on.builder.add(n, on.integer(1)))


def _quadrant(on: Arithmetic, x: Any) -> tuple[Any, Any]:
    """`r` and the integer `n` with `x = n pi / 2 + r` and `|r| <= pi / 4`."""
    multiple, n = on.nearest(on.mul(x, on.real(0.6366197723675814)))
    for part in _HALF_PI_SINGLE if on.single else _HALF_PI_DOUBLE:
        x = on.fma(multiple, on.real(-part), x)
    return x, n


def _wave(on: Arithmetic, r: Any, n: Any) -> Any:
    """`sin(n pi / 2 + r)`."""
    builder = on.builder
    square = on.mul(r, r)
    odd = on.fma(on.mul(square, r), on.polynomial(square, _SIN_SINGLE if on.single else _SIN_DOUBLE), r)
    even = on.polynomial(square, (1.0, -0.5, *(_COS_SINGLE if on.single else _COS_DOUBLE)))
    zero = on.integer(0)
    turned = builder.icmp_signed("!=", builder.and_(n, on.integer(1)), zero)
    sign = builder.shl(builder.and_(n, on.integer(2)), on.integer(30 if on.single else 62))
    return on.from_bits(builder.xor(on.bits(on.select(turned, even, odd)), sign))


def rsqrt(on: Arithmetic, x: Any) -> Any:
    """`1 / sqrt(x)`.

    Where AVX-512 has an estimate, from that by Newton's method, which squares the error: 2.3 (float64) to 2.6 times as
    fast on Zen 4, but the last bits may differ from a number's.
    """
    if not on.avx512:
        return on.div(on.real(1.0), on.sqrt(x))

    def error_of(y: Any) -> Any:
        """At 0 and infinity NaN: any finite one above 0 leaves the estimate, which is exact there."""
        error = on.fma(on.neg(on.mul(x, y)), y, on.real(1.0))
        return on.select(on.builder.fcmp_ordered("<", error, on.real(1.0)), error, on.real(1.0))

    y = on.rsqrt_estimate(x)
    if not on.single:  # once more, of third order
        error = error_of(y)
        y = on.fma(on.mul(y, error), on.fma(error, on.real(0.375), on.real(0.5)), y)
    return on.fma(on.mul(y, error_of(y)), on.real(0.5), y)


def sign(on: Arithmetic, x: Any) -> Any:
    """-1 or 1; zeros and NaN stay."""
    neither = on.builder.fcmp_unordered("==", x, on.real(0.0))
    return on.select(neither, x, on.with_sign_of(on.real(1.0), x))
