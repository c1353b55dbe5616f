"""Bad specs: keys, types, values and params that the language does not have."""

from __future__ import annotations

from tests.schema.bad_spec import GROUPS, Bad, spoilt

LAST_CONV = "  - {type: conv, out: M, kernel: 5, stride: 2}"
SUPPORT = "{filter: first, max: 2}"

KEYS = [
    Bad(
        "unknown-key-at-the-top",
        spoilt("g_s:\n", "^gs: 3\ng_s:\n"),
        "E-unknown-key",
        ("'gs'", "g_a, g_s, latent_codec"),
        "'g_s'",
    ),
    Bad(
        "unknown-key-in-a-block",
        spoilt("out: M, kernel: 5", "out: M, ^kernle: 5"),
        "E-unknown-key",
        ("'kernle'", "allowed here: type, out, kernel, stride"),
        "did you mean 'kernel'?",
    ),
    Bad(
        "unknown-key-nested",
        spoilt("widths: [8], emit_mean_support: pre", "widths: [8], ^emit_mean_suport: pre", GROUPS),
        "E-unknown-key",
        ("'emit_mean_suport'", "allowed here: type, widths, transform, emit_mean_support"),
        "did you mean 'emit_mean_support'?",
    ),
    Bad("unknown-key-nothing-near", spoilt("{type: gdn}", "{type: gdn, ^zzz: 1}"), "E-unknown-key", ("'zzz'",)),
    Bad(
        "unknown-block",
        spoilt("{type: gdn}", "{type: ^gnd}"),
        "E-unknown-type",
        ("'gnd'", "allowed here: conv, deconv, subpel, gdn, relu"),
        "did you mean 'gdn'?",
    ),
    Bad(
        "unknown-latent-codec",
        spoilt("hyperprior", "^hyperpriors"),
        "E-unknown-type",
        ("'hyperpriors'", "hyperprior"),
        "'hyperprior'",
    ),
    Bad(
        "unknown-y",
        spoilt("{type: gaussian}", "{type: ^gausian, chunks: [scales]}"),
        "E-unknown-type",
        ("'gausian'", "allowed here: channel_groups, gaussian, checkerboard"),
        "'gaussian'",
    ),
    Bad(
        "unknown-z",
        spoilt("{type: entropy_bottleneck}", "{type: ^factorized, filters: 3}"),
        "E-unknown-type",
        ("'factorized'", "allowed here: entropy_bottleneck"),
    ),
    Bad(
        "unknown-h_s",
        spoilt("type: dual", "type: ^duel", GROUPS),
        "E-unknown-type",
        ("'duel'", "allowed here: dual"),
        "'dual'",
    ),
    Bad("type-is-a-number", spoilt("{type: gdn}", "{type: ^3}"), "E-unknown-type", ("unknown type 3", "gdn")),
    Bad("type-is-a-list", spoilt("{type: gdn}", "{type: ^[gdn]}"), "E-unknown-type", ("['gdn']", "gdn")),
    Bad(
        "missing-type",
        spoilt("{type: gdn}", "^{inverse: true}"),
        "E-missing-key",
        ("'type'", "a mapping (inverse); allowed here: conv, deconv, subpel, gdn,"),
    ),
    Bad(
        "missing-type-of-a-leaf",
        spoilt("{type: lrp_gaussian, widths: [8]}", "[^{count: 1}, {type: gaussian, n: 1}]", GROUPS),
        "E-missing-key",
        ("a mapping (count); allowed here: gaussian, lrp_gaussian, checkerboard, raster_scan",),
        problems=2,
    ),
    Bad(
        "missing-type-of-a-dual-synthesis",
        spoilt("    type: dual\n", "", GROUPS).replace("    mean:", "    ^mean:"),
        "E-missing-key",
        ("a mapping (mean, scale); allowed here: dual",),
    ),
    Bad(
        "missing-type-in-a-repeat",
        spoilt("{type: leaky_relu, slope: i}", "^{slope: i}"),
        "E-missing-key",
        ("a mapping (slope); allowed here: conv,",),
    ),
    Bad(
        "missing-key-at-the-top",
        "^" + spoilt("name: tiny\n", ""),
        "E-missing-key",
        ("the key 'name' is missing in the spec",),
    ),
    Bad(
        "missing-key-in-a-block",
        spoilt("{type: conv, out: M, kernel: 5, stride: 2}", "^{type: conv, kernel: 5, stride: 2}"),
        "E-missing-key",
        ("the key 'out' is missing in conv",),
    ),
    Bad(
        "missing-key-nested",
        spoilt("{type: lrp_gaussian, widths: [8]}", "^{type: lrp_gaussian}", GROUPS),
        "E-missing-key",
        ("the key 'widths' is missing in lrp_gaussian",),
    ),
    Bad("version-2", spoilt("codecspec: 1", "codecspec: ^2"), "E-version", ("allowed: 1", "found 2"), "newer"),
    Bad("version-true", spoilt("codecspec: 1", "codecspec: ^true"), "E-version", ("found true",), "codecspec: 1"),
    Bad("version-missing", "^" + spoilt("codecspec: 1\n", ""), "E-missing-key", ("'codecspec'", "the spec")),
    Bad("name-with-a-slash", spoilt("name: tiny", "name: ^a/b"), "E-value", ("'name' is 'a/b'", "text like")),
    Bad("name-too-long", spoilt("name: tiny", "name: ^" + 65 * "a"), "E-value", ("at most 64 characters",)),
    Bad("name-is-a-number", spoilt("name: tiny", "name: ^12"), "E-value", ("'name' is 12", "text, in quotes")),
]

VALUES = [
    Bad("text-for-bool", spoilt("inverse: true", "inverse: ^yes"), "E-value", ("is 'yes'", "true or false")),
    Bad("number-for-bool", spoilt("inverse: true", "inverse: ^1"), "E-value", ("is 1", "true or false")),
    Bad("float-for-integer", spoilt("kernel: 3", "kernel: ^3.0"), "E-value", ("an integer is needed, found 3.0",)),
    Bad("bool-for-integer", spoilt("kernel: 3", "kernel: ^true"), "E-value", ("an integer is needed, found true",)),
    Bad("list-for-integer", spoilt("out: 3", "out: ^[3]"), "E-value", ("an integer is needed, found [3]",)),
    Bad("mapping-for-integer", spoilt("out: 3", "out: ^{a: 3}"), "E-value", ("integer", "found a mapping (a)")),
    Bad("null-for-integer", spoilt("out: 3", "out: ^null"), "E-value", ("an integer is needed, found nothing",)),
    Bad("nothing-for-integer", spoilt("out: 3", "out: ^"), "E-value", ("an integer is needed, found nothing",)),
    Bad("integer-for-list", spoilt("widths: [8], e", "widths: ^8, e", GROUPS), "E-value", ("is 8", "be a list")),
    Bad(
        "mapping-for-blocks",
        spoilt("g_s: [{type: deconv, out: 3, stride: 2}]", "g_s: ^{a: 1}", GROUPS),
        "E-value",
        ("'g_s'", "be a list"),
    ),
    Bad(
        "block-is-a-number", spoilt("{type: gdn}", "^3"), "E-value", ("item 1 of 'g_a' is 3", "a mapping with a `type`")
    ),
    Bad("block-is-nothing", spoilt("{type: gdn}", "^~"), "E-value", ("item 1 of 'g_a' is nothing", "`type`")),
    Bad(
        "no-blocks",
        spoilt("g_s: [{type: deconv, out: 3, stride: 2}]", "g_s: ^[]", GROUPS),
        "E-value",
        ("'g_s' is []", "at least 1 item"),
    ),
    Bad("text-for-real", spoilt("slope: i", "slope: ^[]"), "E-value", ("a number is needed, found []",)),
    Bad("infinite", spoilt("slope: i", "slope: ^1e999"), "E-value", ("'slope' is inf", "a finite number")),
    Bad("zero-channels", spoilt("out: M, k", "out: ^0, k"), "E-value", ("'out' is 0", "at least 1")),
    Bad("negative-channels", spoilt("out: M, k", "out: ^-16, k"), "E-value", ("'out' is -16", "at least 1")),
    Bad("negative-by-expression", spoilt("out: M, k", "out: ^N-M, k"), "E-value", ("'out' is -8 (N-M)", "at least 1")),
    Bad("too-many-channels", spoilt("out: M, k", "out: ^70000, k"), "E-value", ("is 70000", "at most 65536")),
    Bad("too-large-kernel", spoilt("kernel: 3", "kernel: ^301"), "E-value", ("'kernel' is 301", "at most 255")),
    Bad("zero-stride", spoilt("out: 2*M, stride: 2", "out: 2*M, stride: ^0"), "E-value", ("is 0", "at least 1")),
    Bad(
        "even-kernel-conv", spoilt("out: M, kernel: 5", "out: M, kernel: ^4"), "E-value", ("a kernel is odd, found 4",)
    ),
    Bad(
        "even-kernel-deconv",
        spoilt("{type: deconv, out: N, kernel: 5", "{type: deconv, out: N, kernel: ^6"),
        "E-value",
        ("a kernel is odd, found 6",),
    ),
    Bad("even-kernel-subpel", spoilt("kernel: 3", "kernel: ^2"), "E-value", ("a kernel is odd, found 2",)),
    Bad("in-channels", "in_channels: ^65\n" + spoilt("tiny", "tiny"), "E-value", ("'in_channels' is 65", "at most 64")),
    Bad(
        "unknown-word",
        spoilt("quantizer: ste", "quantizer: ^sto", GROUPS),
        "E-value",
        ("is 'sto'", "allowed: noise, ste"),
        "'ste'",
    ),
    Bad(
        "unknown-filter",
        spoilt("filter: first", "filter: ^frist", GROUPS),
        "E-value",
        ("'frist'", "all, first, recent"),
        "'first'",
    ),
    Bad(
        "chunks-without-scales",
        spoilt("{type: gaussian}", "{type: gaussian, chunks: ^[means]}"),
        "E-value",
        ("[scales, means], [means, scales]; found [means]",),
    ),
    Bad(
        "chunks-twice",
        spoilt("{type: gaussian}", "{type: gaussian, chunks: ^[scales, scales]}"),
        "E-value",
        ("found [scales, scales]",),
    ),
    Bad(
        "transform-is-a-list",
        spoilt("widths: [8], e", "widths: [8], transform: ^[], e", GROUPS),
        "E-value",
        ("'transform' is []", "a mapping with a `type`"),
    ),
    Bad("title-is-a-number", "reference: {title: ^7}\n" + spoilt("tiny", "tiny"), "E-value", ("'title' is 7", "text")),
    Bad(
        "form-of-groups",
        spoilt("{equal: slices}", "^{slices: slices}", GROUPS),
        "E-value",
        ("a mapping (slices)", "{equal: K}, {proportions: [...]} or a list"),
    ),
    Bad(
        "form-of-h_s",
        spoilt("h_s: [{type: deconv, out: 2*M, stride: 2}]", "h_s: ^3"),
        "E-value",
        ("'h_s' is 3", "a list of blocks, or {type: dual"),
    ),
]

EXPRESSIONS = [
    Bad(
        "names-nothing",
        spoilt("out: M, k", "out: ^M2, k"),
        "E-unknown-param",
        ("'M2' names no param", "params: M, N, depths"),
        "did you mean 'M'?",
    ),
    Bad("divides-by-zero", spoilt("out: M, k", "out: ^M // (N - 8), k"), "E-expression", ("divides by zero",)),
    Bad("modulo-zero", spoilt("out: M, k", "out: ^M % 0, k"), "E-expression", ("divides by zero",)),
    Bad("explodes", spoilt("out: M, k", f"out: ^{'*'.join(60 * '9')}, k"), "E-expression", ("grows past 2147483648",)),
    Bad(
        "too-long",
        spoilt("out: M, k", f"out: ^{'+'.join(101 * 'M')}, k"),
        "E-expression",
        ("at most 200 characters, found 201",),
    ),
    Bad(
        "not-an-expression",
        spoilt("out: M, k", "out: ^M +, k"),
        "E-expression",
        ("'M +' is not an expression",),
        "names of params, integers, + - * // %",
    ),
    Bad(
        "attribute",
        spoilt("out: M, k", "out: ^M.real, k"),
        "E-expression",
        ("'M.real' is not allowed",),
        "names of params",
    ),
    Bad(
        "call",
        spoilt("out: M, k", 'out: ^"abs(M)", k'),
        "E-expression",
        ("'abs(M)' is not allowed",),
        "min, max, sum, len",
    ),
    Bad(
        "lambda",
        spoilt("out: M, k", 'out: ^"(lambda: 3)()", k'),
        "E-expression",
        ("is not allowed",),
        "names of params",
    ),
    Bad("power", spoilt("out: M, k", "out: ^M**2, k"), "E-expression", ("'M ** 2' is not allowed",), "+ - * // %"),
    Bad("true-division", spoilt("out: M, k", "out: ^M/2, k"), "E-expression", ("'M / 2' is not allowed",), "//"),
    Bad(
        "float-in-expression",
        spoilt("out: M, k", "out: ^M*0.5, k"),
        "E-expression",
        ("'0.5' is not allowed",),
        "integers",
    ),
    Bad(
        "list-for-a-number",
        spoilt("out: M, k", "out: ^depths + 1, k"),
        "E-expression",
        ("a list stands where 'depths + 1' needs a number",),
        "depths[0]",
    ),
    Bad(
        "list-for-channels", spoilt("out: M, k", "out: ^depths, k"), "E-value", ("an integer is needed, found [1, 2]",)
    ),
    Bad(
        "index-past-the-end",
        spoilt("out: M, k", 'out: ^"depths[2]", k'),
        "E-expression",
        ("takes item 2 of a list of 2",),
        "from 0",
    ),
    Bad("item-of-a-number", spoilt("out: M, k", 'out: ^"M[0]", k'), "E-expression", ("takes an item of a number",)),
    Bad(
        "number-with-leading-zero",
        spoilt("out: M, k", "out: ^016, k"),
        "E-expression",
        ("'016' is not an expression",),
        "integers",
    ),
]

PARAMS = [
    Bad(
        "unused-param",
        spoilt("{N: 8", "{^spare: 3, N: 8"),
        "E-unused-param",
        ("no expression names the param 'spare'",),
        "take it out",
    ),
    Bad(
        "unused-param-with-one-near",
        spoilt("{N: 8", "{^depth: 3, N: 8"),
        "E-unused-param",
        ("'depth'",),
        "did you mean 'depths'?",
    ),
    Bad(
        "param-is-nothing",
        spoilt("N: 8", "N: ^"),
        "E-value",
        ("param N", "a number or a list of numbers, found nothing"),
    ),
    Bad("param-is-a-mapping", spoilt("N: 8", "N: ^{a: 8}"), "E-value", ("param N", "found a mapping (a)")),
    Bad("param-is-a-bool", spoilt("N: 8", "N: ^true"), "E-value", ("param N", "found true")),
    Bad("param-is-infinite", spoilt("N: 8", "N: ^1e999"), "E-value", ("param N", "between -2147483648 and 2147483648")),
    Bad("param-names-a-later-one", spoilt("N: 8", "N: ^M//2"), "E-unknown-param", ("'M' in 'M//2' names no param",)),
    Bad(
        "param-is-a-keyword",
        spoilt("N: 8", "N: 8, ^lambda: 3"),
        "E-value",
        ("'lambda' cannot be a name",),
        "a word of Python",
    ),
    Bad(
        "param-is-a-function",
        spoilt("N: 8", "N: 8, ^max: 3"),
        "E-value",
        ("'max' cannot be a name",),
        "name of a function",
    ),
    Bad(
        "param-with-a-hyphen",
        spoilt("N: 8", "N: 8, ^a-b: 3"),
        "E-value",
        ("'a-b' cannot be a name",),
        "letters, digits and _",
    ),
    Bad(
        "params-is-a-list",
        spoilt("{N: 8, M: 16, depths: [1, 2]}", "^[8, 16]"),
        "E-value",
        ("`params` is a mapping", "numbers or lists"),
    ),
]

FIELDS = [*KEYS, *VALUES, *EXPRESSIONS, *PARAMS]
