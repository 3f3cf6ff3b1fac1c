"""Makes src/onnx/operator-types.ts, src/onnx/more-operator-types.ts and test/onnx/operator-types.txt from the operator schemas. Run by hand:

    pip install onnx==1.23.2 onnxruntime==1.32.0
    python test/generate/operator-types.py

The table comes from the schemas. The reference of the test comes from what the two programs infer for one node of each
schema: onnx.shape_inference, and ONNX Runtime's own, which names the type that it expects where an output is declared wrong.
"""

import collections
import itertools
import pathlib
import re
import subprocess

import onnx
import onnx.defs
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

ROOT = pathlib.Path(__file__).parent.parent.parent
CONTROL = {"If", "Loop", "Scan", "SequenceMap"}

Param = collections.namedtuple("Param", "type option homogeneous")
Schema = collections.namedtuple("Schema", "domain name version inputs outputs constraints attributes minimum")


def read(schema):
    """A schema of either program in one shape."""

    def param(one):
        if hasattr(one, "type_str"):
            return Param(one.type_str, str(one.option).rpartition(".")[2], one.is_homogeneous)
        return Param(one.typeStr, str(one.option).split(".")[1].split(":")[0], one.isHomogeneous)

    return Schema(
        schema.domain, schema.name, schema.since_version,
        [param(one) for one in schema.inputs], [param(one) for one in schema.outputs],
        {one.type_param_str: sorted(one.allowed_type_strs) for one in schema.type_constraints},
        schema.attributes, schema.min_input,
    )


schemas = {}
for one in ort_state.get_all_operator_schema() + onnx.defs.get_all_schemas_with_history():
    if "_TRT" not in one.name:
        schemas[(one.domain, one.name, one.since_version)] = read(one)
schemas = [schemas[key] for key in sorted(schemas)]

# The rules that schemas state in prose only, by operator, or by operator and version. The language is described in
# src/onnx/signature.ts. The reference below holds them against both programs.
BY_HAND = {
    "Constant": ">{value|sparse_value|value_float:B|value_floats:B|value_int:H|value_ints:H|value_string:I|value_strings:I}",
    "ConstantOfShape": "H>{value|B}",
    "Cast": ".>{to}",
    "BitCast": ".>{to}",
    "EyeLike": "a>{dtype|a}",
    "RandomNormal": ">{dtype|B}",
    "RandomUniform": ">{dtype|B}",
    "RandomNormalLike": "a>{dtype|a}",
    "RandomUniformLike": "a>{dtype|a}",
    "Bernoulli": "a>{dtype|a}",
    "Multinomial": ".>{dtype|G}",
    "HannWindow": ".>{output_datatype|B}",
    "HammingWindow": ".>{output_datatype|B}",
    "BlackmanWindow": ".>{output_datatype|B}",
    "MelWeightMatrix": "aaabb>{output_datatype|B}",
    ("LayerNormalization", 1): ".aa>a{stash_type|B}*",
    ("LayerNormalization", 17): "a*>a{stash_type|B}*",
    "SimplifiedLayerNormalization": ".a>a{stash_type|B}*",
    ("DequantizeLinear", 23): "aba>{output_dtype|b}",
    ("DequantizeLinear", 24): "aba>{output_dtype|b}",
    ("DequantizeLinear", 25): "aba>{output_dtype|b}",
    ("DequantizeLinear", 28): "aba>{output_dtype|b}",
    ("QuantizeLinear", 10): ".Bc>{c|C}",
    ("QuantizeLinear", 13): "..c>{c|C}",
    ("QuantizeLinear", 19): "aac>{c|C}",
    ("QuantizeLinear", 21): "aac>{output_dtype|c|C}",
    ("QuantizeLinear", 23): "a.c>{output_dtype|c|C}",
    ("QuantizeLinear", 24): "a.c>{output_dtype|c|C}",
    ("QuantizeLinear", 25): "a.c>{output_dtype|c|C}",
    ("QuantizeLinear", 28): "a.c>{output_dtype|c|C}",
    "SequenceEmpty": ">[{dtype|B}",
    "SequenceConstruct": "a*>[a",
    "SequenceAt": "[a>a",
    "SequenceInsert": "[aa>[a",
    "SequenceErase": "[a>[a",
    "SplitToSequence": "a>[a",
    "ConcatFromSequence": "[a>a",
    "Optional": "a>?a",
    "OptionalGetElement": "!a>a",
    # training: groups of inputs of equal length behind the first two
    "Adam": ".H%4>%",
    "Adagrad": ".H%3>%",
    "Momentum": ".H%3>%",
    "Gradient": "%1>%",
    # ai.onnx.ml
    "ZipMap": "B>[<B",
    "DictVectorizer": "<a>a",
    "CastMap": ".>{cast_to=TO_STRING:I|cast_to=TO_INT64:H|B}",
    "CategoryMapper": "a>^a",
    ("LabelEncoder", 1): "a>^a",
    ("LabelEncoder", 2): ".>{values_strings:I|values_int64s:H|values_floats:B}",
    ("LabelEncoder", 4): ".>{values_tensor|values_strings:I|values_int64s:H|values_floats:B}",
    "TreeEnsembleClassifier": ".>{classlabels_strings:I|H}B",
    "LinearClassifier": ".>{classlabels_strings:I|classlabels_ints:H|H}B",
    "SVMClassifier": ".>{classlabels_strings:I|H}B",
    # com.microsoft
    "com.microsoft.QuantizeLinear": "aab>{b|C}",
    "com.microsoft.LinearAttention": "aaabaa>a{b|a}",
    "GroupQueryAttention": "aaabbGGaaHaaBBaaG>a{b|a}{b|a}a",
    "DynamicSparseAttention": "aa.bbccGGGGccHcccGBB>{c|a}{b|a}{b|a}G",
    "com.microsoft.GridSample": "a*>a*",
    "RMSNormRotary": "aBHbbG>{output_fp16=1:K|Q}B",
    "GatherPacked": "C>{output_dtype|Q}",
    "MurmurHash3": ".>{positive=0:G|M}",
    "QGemm": "aBabBbGBc>{c|B}",
    "DequantizeWithOrder": "DB>{to}",
    "DequantizeBFP": "CHH>{dtype|B}",
    "GemmFloat8": "...BBB>{dtype|B}",
}
# Names that another domain uses for an operator of its own.
HOMES = {"QuantizeLinear": [""], "DequantizeLinear": [""]}


def letter(element):
    """The capital of an element type: A plus its number."""
    return chr(ord("A") + element_number(element))


def element_number(element):
    return getattr(TensorProto, element.upper())


def fixed(text):
    """The term of a concrete type, if it holds elements of one type only."""
    for prefix, sign in (("tensor", ""), ("seq", "["), ("optional", "?")):
        match = re.fullmatch(prefix + r"\((.*)\)", text)
        if match is None:
            continue
        if prefix == "tensor":
            return letter(match[1])
        inner = fixed(match[1])
        return inner and sign + inner
    match = re.fullmatch(r"map\(\w+, ?(?:tensor\()?(\w+)\)*", text)
    return match and "<" + letter(match[1])


def signature(schema):
    by_hand = BY_HAND.get(f"{schema.domain}.{schema.name}")
    if by_hand is None and schema.domain in HOMES.get(schema.name, [schema.domain]):
        by_hand = BY_HAND.get((schema.name, schema.version)) or BY_HAND.get(schema.name)
    if by_hand is not None:
        return by_hand
    if schema.name in CONTROL:
        return ">"
    params = schema.inputs + schema.outputs
    used = collections.Counter(one.type for one in params)
    letters = {}

    def term(param):
        star = "*" if param.option == "Variadic" else ""
        if star and not param.homogeneous:
            return "."
        allowed = schema.constraints.get(param.type, [param.type])
        if len(allowed) == 1:
            return (fixed(allowed[0]) or ".") + star
        if used[param.type] == 1 and not star:
            return "."
        return letters.setdefault(param.type, "abcdefghijklmnopqrstuvwxyz"[len(letters)]) + star

    def shorten(text):
        # What a later version may add behind it is known for ONNX's own domains only.
        if schema.domain.startswith("com."):
            return text
        text = re.sub(r"([^.*])\1*\*?$", r"\1*" if "[" not in text and "?" not in text else r"\g<0>", text)
        return text

    inputs = shorten("".join(map(term, schema.inputs)))
    outputs = shorten("".join(map(term, schema.outputs)))
    # A variable that is alone says nothing.
    for sign in set(re.findall("[a-z]", inputs + outputs)):
        if (inputs + outputs).count(sign) == 1 and f"{sign}*" not in inputs + outputs:
            inputs, outputs = inputs.replace(sign, "."), outputs.replace(sign, ".")
    names = {}
    text = re.sub("[a-z]", lambda match: names.setdefault(match[0], "abcdefghijklmnopqrstuvwxyz"[len(names)]), f"{inputs}>{outputs}")
    return re.sub(r"\.+(?=>|$)", "", text)


tables = collections.defaultdict(lambda: collections.defaultdict(list))
before = {}
for schema in schemas:
    text = signature(schema)
    key = (schema.domain, schema.name)
    if before.get(key) != text:
        version = f"@{schema.version}" if key in before else ""
        tables[schema.domain][text].append(schema.name + version)
    before[key] = text


def table(domain):
    rows = sorted(tables[domain].items(), key=lambda row: (-len(row[1]), row[0]))
    return "\n".join(f"{text or '>'} {' '.join(names)}" for text, names in rows)


def write(name, comment, constant, domains):
    rows = "\n".join(f"  '{domain}': `{table(domain)}`," for domain in domains)
    path = f"src/onnx/{name}.ts"
    (ROOT / path).write_text(
        "// Generated by test/generate/operator-types.py from the schemas of "
        f"onnx {onnx.__version__} and onnxruntime {onnxruntime.__version__}: do not edit.\n\n"
        f"{comment}\nexport const {constant}: Readonly<Record<string, string>> = {{\n{rows}\n}};\n"
    )
    subprocess.run(["npx", "biome", "check", "--write", path], cwd=ROOT, check=True)


write("operator-types", """/**
 * The element types of ONNX's own operators: on each line a signature and the operators that have it. An operator with
 * `@13` behind its name has the signature from that version of the domain on. See signature.ts for the language.
 */""", "OPERATOR_TYPES", [""])
write("more-operator-types", """/** The element types of operators of other domains, as operator-types.ts has those of ONNX's own. */""",
      "MORE_OPERATOR_TYPES", sorted(domain for domain in tables if domain))

# The versions of what activations are written in, and of those that are replaced.
WRITTEN = """Add Cast CastLike Clip Constant Div Elu Erf Exp Gelu HardSwish LeakyRelu Mish Mul Neg PRelu Relu Sigmoid Softplus
    Sub Tanh""".split()
versions = collections.defaultdict(list)
for one in onnx.defs.get_all_schemas_with_history():
    if one.domain == "" and one.name in WRITTEN:
        versions[one.name].append(one.since_version)
rows = "\n".join(f"  {name}: {sorted(versions[name])}," for name in WRITTEN)
(ROOT / "src/onnx/operator-versions.ts").write_text(
    f"""// Generated by test/generate/operator-types.py from the schemas of onnx {onnx.__version__}: do not edit.

/** The opsets in which an operator changed: those that activations are written in, and those that are replaced. */
const VERSIONS: Readonly<Record<string, readonly number[]>> = {{
{rows}
}};

/** Returns the version of an operator in an opset; 0 for an operator that is absent or not in the table. */
export function sinceVersion(opType: string, opset: number): number {{
  const versions = Object.hasOwn(VERSIONS, opType) ? (VERSIONS[opType] ?? []) : [];
  return versions.findLast((version) => version <= opset) ?? 0;
}}
"""
)
subprocess.run(["npx", "biome", "check", "--write", "src/onnx/operator-versions.ts"], cwd=ROOT, check=True)

# The reference.

PREFERENCE = ["float16", "double", "float", "bfloat16", "int32", "uint8", "int64", "bool", "string"]
SHORT = {"float16": "f16", "float": "f32", "double": "f64", "bfloat16": "bf16"}
# Attributes that decide a type, and others that inference needs to be there.
CHOICES = {
    "to": [10, 11, 1], "dtype": [11, 10, 1, 6], "output_dtype": [10, 1, 3], "output_datatype": [11, 10], "stash_type": [1, 16],
    "cast_to": ["TO_STRING", "TO_INT64", "TO_FLOAT"], "positive": [0, 1], "output_fp16": [0, 1],
    "classlabels_strings": [["a", "b"]], "classlabels_ints": [[1, 2]], "classlabels_int64s": [[1, 2]],
    "values_strings": [["a", "b"]], "values_int64s": [[1, 2]], "values_floats": [[1.0, 2.0]],
    "value_float": [1.0], "value_floats": [[1.0]], "value_int": [1], "value_ints": [[1, 2]],
    "value_string": ["a"], "value_strings": [["a", "b"]],
    "value": [11, 7], "values_tensor": [11, 8],
}
REQUIRED = {"kernel_shape": [2, 2], "axes": [0], "perm": [0, 1], "shape": [2, 2], "axis": 0, "num_heads": 1}


def tensor_type(text):
    """A TypeProto of ONNX's name for a type."""
    match = re.fullmatch(r"(\w+)\((.*)\)", text)
    kind, inner = match[1], match[2]
    if kind == "tensor":
        return helper.make_tensor_type_proto(element_number(inner), None)
    if kind == "sparse_tensor":
        return helper.make_sparse_tensor_type_proto(element_number(inner), None)
    if kind == "seq":
        return helper.make_sequence_type_proto(tensor_type(inner))
    if kind == "optional":
        return helper.make_optional_type_proto(tensor_type(inner))
    key, _, value = inner.partition(",")
    value = value.strip()
    return helper.make_map_type_proto(element_number(key.strip()), tensor_type(value if "(" in value else f"tensor({value})"))


def type_name(proto):
    """The name of a TypeProto; '' where it names no type."""
    kind = proto.WhichOneof("value")
    if kind == "tensor_type":
        number = proto.tensor_type.elem_type
        name = TensorProto.DataType.Name(number).lower() if number else ""
        return SHORT.get(name, name)
    if kind in ("sequence_type", "optional_type"):
        inner = type_name(getattr(proto, kind).elem_type)
        return inner and f"{kind[:3]}({inner})"
    if kind == "map_type":
        return f"map({type_name(proto.map_type.value_type)})"
    return ""


def attribute(name, value):
    if name in ("value", "values_tensor"):
        data = [b"a"] if value == 8 else [1]
        return helper.make_attribute(name, helper.make_tensor("t", value, [1], data))
    return helper.make_attribute(name, value)


def required(schema, chosen):
    """Attributes that a schema requires, with some value each."""
    AttrType = onnx.AttributeProto
    found = []
    for name, one in schema.attributes.items():
        if not one.required or name in chosen:
            continue
        kind = str(one.type).rpartition(".")[2].split(":")[0]
        value = REQUIRED.get(name)
        if value is None:
            value = {"INT": 1, "FLOAT": 1.0, "STRING": "a", "INTS": [1], "FLOATS": [1.0], "STRINGS": ["a"]}.get(kind)
        if value is None and kind == "TENSOR":
            value = helper.make_tensor("t", 1, [1], [1.0])
        if value is not None:
            found.append(helper.make_attribute(name, value))
    return found


def model(schema, inputs, outputs, chosen, declared=None):
    values = [helper.make_value_info(f"i{at}", tensor_type(text)) for at, text in enumerate(inputs) if text]
    node = helper.make_node(
        schema.name, [f"i{at}" if text else "" for at, text in enumerate(inputs)], [f"o{at}" for at in range(outputs)],
        domain=schema.domain,
    )
    for name, value in chosen.items():
        node.attribute.append(attribute(name, value))
    if schema.name == "LabelEncoder" and schema.version > 1:
        node.attribute.append(helper.make_attribute("keys_int64s", [1, 2]))
    if schema.name == "LabelEncoder" and schema.version == 1:
        node.attribute.append(helper.make_attribute("classes_strings", ["a"]))
    if schema.name == "CategoryMapper":
        node.attribute.append(helper.make_attribute("cats_strings", ["a"]))
        node.attribute.append(helper.make_attribute("cats_int64s", [1]))
    if schema.name == "Gradient":
        node.attribute.append(helper.make_attribute("xs", ["i0"]))
    have = {one.name for one in node.attribute}
    node.attribute.extend(one for one in required(schema, chosen) if one.name not in have)
    made = [onnx.ValueInfoProto(name="o0")] if declared is None and outputs else []
    if declared is not None:
        made = [helper.make_value_info(f"o{declared[0]}", tensor_type(declared[1]))]
    graph = helper.make_graph([node], "g", values, made)
    imports = [helper.make_opsetid(schema.domain, schema.version)]
    if schema.domain:
        imports.append(helper.make_opsetid("", 17))
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


session = onnxruntime.SessionOptions()
session.log_severity_level = 4
session.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
told = collections.Counter()


def by_runtime(schema, inputs, outputs, chosen, at):
    """The type that ONNX Runtime expects of an output, by declaring another."""
    for wrong in ("seq(tensor(uint16))", "tensor(uint16)"):
        proto = model(schema, inputs, outputs, chosen, (at, wrong))
        try:
            onnxruntime.InferenceSession(proto.SerializeToString(), session, providers=["CPUExecutionProvider"])
        except Exception as error:
            text = str(error)
            match = re.search(r"does not match expected type \((.+?)\)\.", text) or re.search(r"output arg \(o\d+\) of node .* does not match expected type \((.*)\)", text)
            if match:
                return type_name(tensor_type(match[1]))
            told[text[:230].replace("\n", " ")] += 1
    return ""


def by_onnx(proto, outputs):
    """The types that onnx.shape_inference finds."""
    try:
        inferred = onnx.shape_inference.infer_shapes(proto)
    except Exception:
        return [""] * outputs
    found = {one.name: type_name(one.type) for one in itertools.chain(inferred.graph.value_info, inferred.graph.output)}
    return [found.get(f"o{at}", "") for at in range(outputs)]


def choose(schema, turn):
    """A type for each variable, different ones where that can be."""
    chosen = {}
    variables = dict.fromkeys(one.type for one in schema.inputs if one.type in schema.constraints)
    for place, name in enumerate(variables):
        allowed = schema.constraints[name]
        order = PREFERENCE[(place + turn) % 4 :] + PREFERENCE[: (place + turn) % 4]
        elements = [element for element in order for text in allowed if text == f"tensor({element})"]
        if elements:
            chosen[name] = f"tensor({elements[0]})"
            continue
        nested = [text for element in order for text in allowed if f"tensor({element})" in text or f", {element})" in text or f",{element})" in text]
        chosen[name] = nested[min(turn, len(nested) - 1)] if nested else allowed[0]
    if schema.name == "LabelEncoder" and schema.version > 1:
        chosen["T1"] = "tensor(int64)"
    if schema.name == "SequenceInsert":
        chosen["T"] = re.fullmatch(r"seq\((.*)\)", chosen["S"])[1]
    return chosen


lines = []
disagree = []
silent = []
seen_signature = {}
for schema in schemas:
    if schema.name in CONTROL or any(one.required and "GRAPH" in str(one.type) for one in schema.attributes.values()):
        continue
    text = signature(schema)
    repeated = seen_signature.get((schema.domain, schema.name)) == text
    seen_signature[(schema.domain, schema.name)] = text
    attributes = [{}]
    for name in schema.attributes:
        if name in CHOICES and f"{name}" in text:
            attributes += [{name: value} for value in CHOICES[name]]
    if len(attributes) > 1 and ("{to}" in text or schema.name in ("Constant",) or "values_" in text):
        attributes = attributes[1:]
    variants = [(0, least, chosen) for chosen in attributes for least in (False, True)[: 2 if chosen else 1]]
    if not repeated:
        variants += [(1, False, attributes[0]), (0, True, attributes[0])]
    done = set()
    for turn, least, chosen in variants:
        types = choose(schema, turn)
        inputs, variables = [], []
        for param in schema.inputs:
            concrete = types.get(param.type, param.type)
            if least and (param.option == "Optional" or (param.option == "Variadic" and schema.minimum <= len(inputs))):
                concrete = ""
            count = 1
            if param.option == "Variadic":
                count = {"Adam": 8, "Adagrad": 6, "Momentum": 6}.get(schema.name, 2)
            inputs += [concrete] * count
            variables += [param.type if param.homogeneous else ""] * count
        while inputs and inputs[-1] == "":
            inputs.pop()
        if schema.name in ("Adam", "Adagrad", "Momentum"):
            inputs[2:] = ["tensor(double)", "tensor(float)"] * (len(inputs) // 2 - 1)
        outs = [param for param in schema.outputs for _ in range({"Adam": 6, "Adagrad": 4, "Momentum": 4}.get(schema.name, 2 if param.option == "Variadic" else 1))]
        try:
            proto = model(schema, inputs, len(outs), chosen)
        except Exception as error:
            print("no model", schema.domain, schema.name, schema.version, chosen, error)
            continue
        found = by_onnx(proto, len(outs)) if not schema.domain.startswith("com.") else [""] * len(outs)
        names = []
        for at, param in enumerate(outs):
            runtime = ""
            if not schema.domain.startswith("ai.onnx.preview"):
                runtime = by_runtime(schema, inputs, len(outs), chosen, at)
                if not runtime and not found[at] and at == 0:
                    runtime = by_runtime(schema, inputs, 1, chosen, at)
            if found[at] and runtime and found[at] != runtime:
                disagree.append((schema.domain, schema.name, schema.version, inputs, chosen, at, found[at], runtime))
                names.append("")
                continue
            name = found[at] or runtime
            if not name:
                silent.append((schema.domain, schema.name, schema.version, at, str(chosen), inputs))
            names.append(name)
        given = [
            f"{variables[at]}={type_name(tensor_type(one)) or '?'}" if one else "" for at, one in enumerate(inputs)
        ]
        made = [f"{param.type if param.homogeneous else ''}={name}" for param, name in zip(outs, names)]
        settings = ";".join(f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}" for name, value in chosen.items())
        line = f"{schema.domain}|{schema.name}|{schema.version}|{settings}|{' '.join(one or '-' for one in given)}|{' '.join(made)}"
        if line not in done:
            lines.append(line)
        done.add(line)

lines = [re.sub(r"(?:tensor|seq|map|optional|sparse_tensor)\([^ =|]*=", "=", re.sub(r"\(([a-z]+), ", r"(\1,", line)) for line in lines]
(ROOT / "test/onnx/operator-types.txt").write_text(
    f"# Made by test/generate/operator-types.py with onnx {onnx.__version__} and onnxruntime {onnxruntime.__version__}.\n"
    "# domain|operator|version|attributes|variable=type of each input, - where it is left out|of each output\n"
    + "\n".join(lines) + "\n"
)
print(len(schemas), "schemas,", len(lines), "nodes,", len(disagree), "that the programs disagree on,", len(silent), "outputs without a type")
for one in disagree:
    print("disagree", *one)
for one in silent:
    print("silent", *one)
for text, count in told.most_common(15):
    print(count, text)
