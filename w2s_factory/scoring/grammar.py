"""The words of SymPy's LaTeX grammar (1.14) that `latex` needs to know."""

from __future__ import annotations

import re

from w2s_factory.scoring import shapes

NUMBER = re.compile(r"(?>[0-9]+(?:,[0-9]{3})*)(?>\.[0-9]+)?")
WHOLE_WITH_STOP = re.compile(r"([+-]{0,8})([0-9]*)[0-9]\.\Z")
LEADING_ZERO = re.compile(r"0+[1-9][0-9]*\Z")
COMMAND = re.compile(r"\\[a-zA-Z]+")
DIFFERENTIAL = re.compile(r"d(?:([a-zA-Z])|\\([a-zA-Z]+))")
SUBSCRIPT = re.compile(r"_(?:([a-ce-zA-Z]|(?:0|[1-9][0-9]*)(?![0-9]))|\{([a-zA-Z]|0|[1-9][0-9]*)\})")
IGNORED = re.compile(r"(?<=[0-9)}\]])\\-")  # a token that is skipped; elsewhere it parts others
NO_TOKEN = re.compile(r"[^\t\n\r -~]|[%$?;#\"@~`]|&(?![=\s])|\\[0-9\\]")
SIGNS_BEFORE = re.compile(r"[+-]*")
SIGNED_NUMBER = re.compile(r"[+-]*[0-9,.]+\Z")
BEFORE_FIRST = re.compile(r"[+-]*(?:\\[dt]?frac|\\sqrt)?\Z")
THOUSANDS = re.compile(r",[0-9]{3}")
AFTER_A_STOP = re.compile(r"(?!,[0-9]{3})[0-9A-Za-z+*/^{}(),._-]*\Z")
SIGNS: dict[str, type[shapes.Product | shapes.Quotient]] = {
    "*": shapes.Product,
    r"\cdot": shapes.Product,
    r"\times": shapes.Product,
    "/": shapes.Quotient,
    ":": shapes.Quotient,
    r"\div": shapes.Quotient,
}
CLOSING = {"(": ")", "[": "]", "{": "}"}
NEVER_FIRST = re.compile(r"[)\]},.^_*/:!=<>]|\\(?:le|ge|leq|geq|neq|to)(?![a-zA-Z])|\Z")
KEYWORDS = frozenset(
    "\\" + name
    for name in (
        "thinspace",
        "medspace",
        "thickspace",
        "quad",
        "qquad",
        "negthinspace",
        "negmedspace",
        "negthickspace",
        "left",
        "right",
        "vrule",
        "vcenter",
        "vbox",
        "vskip",
        "vspace",
        "hfil",
        "langle",
        "rangle",
        "lim",
        "to",
        "rightarrow",
        "Rightarrow",
        "longrightarrow",
        "Longrightarrow",
        "int",
        "sum",
        "prod",
        "exp",
        "log",
        "lg",
        "ln",
        "sin",
        "cos",
        "tan",
        "csc",
        "sec",
        "cot",
        "arcsin",
        "arccos",
        "arctan",
        "arccsc",
        "arcsec",
        "arccot",
        "sinh",
        "cosh",
        "tanh",
        "arsinh",
        "arcosh",
        "artanh",
        "lfloor",
        "rfloor",
        "lceil",
        "rceil",
        "sqrt",
        "overline",
        "times",
        "cdot",
        "div",
        "frac",
        "dfrac",
        "tfrac",
        "binom",
        "dbinom",
        "tbinom",
        "mathit",
        "neq",
        "leq",
        "le",
        "leqq",
        "leqslant",
        "geq",
        "ge",
        "geqq",
        "geqslant",
        "infty",
        "partial",
    )
)
FRACTIONS = (r"\frac", r"\dfrac", r"\tfrac")
