"""Writes src/mish/opset-changes.ts: where operators change their meaning, from onnx.defs, the list below, and the operators
that only ONNX Runtime has in ONNX's domain.

    pip install onnx==1.23.2 onnxruntime==1.32.0
    python test/generate/opset-changes.py > src/mish/opset-changes.ts
"""
import onnx.defs as defs
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

# Meaning that changed though the schema did not show it. Some nodes keep theirs: isUnmoved in src/mish/raise-opset.ts.
# Resize lost a coordinate_transformation_mode. ConvTranspose has the odd element of a padding at the other end. OneHot
# counts negative indices from the end.
CHANGED = {('PRelu', 7), ('RoiAlign', 16), ('GroupNormalization', 21), ('BatchNormalization', 14), ('Softmax', 13),
           ('LogSoftmax', 13), ('Hardmax', 13), ('Scan', 9), ('Upsample', 9), ('Split', 18), ('DFT', 20),
           ('Resize', 13), ('ConvTranspose', 11), ('OneHot', 11)}

schemas = {}
for s in defs.get_all_schemas_with_history():
    if s.domain == '':
        schemas.setdefault(s.name, {})[s.since_version] = s


def types(s, param):
    for c in s.type_constraints:
        if c.type_param_str == param.type_str:
            return set(c.allowed_type_strs)
    return {param.type_str}


def params_kept(old, olds, new, news, extend):
    if len(news) < len(olds) or (len(news) > len(olds) and not extend):
        return False
    for a, b in zip(olds, news):
        if a.option != b.option and b.option == defs.OpSchema.FormalParameterOption.Single:
            return False
        if not types(old, a) <= types(new, b):
            return False
    return all(p.option == defs.OpSchema.FormalParameterOption.Optional for p in news[len(olds):])


def change(old, new):
    """None where every node of the old version is one of the new version with the same meaning, or the attributes that it must not have."""
    if new.deprecated or (new.name, new.since_version) in CHANGED:
        return True
    if not params_kept(old, old.inputs, new, new.inputs, True) or not params_kept(old, old.outputs, new, new.outputs, True):
        return True
    gone = []
    for name, a in old.attributes.items():
        b = new.attributes.get(name)
        if b is None:
            gone.append(name)
        elif a.type != b.type or (b.required and not a.required):
            return True
        elif str(a.default_value) != str(b.default_value):
            return True
    if any(b.required for name, b in new.attributes.items() if name not in old.attributes):
        return True
    return sorted(gone) or None


rows = {}
for name, versions in sorted(schemas.items()):
    order = sorted(versions)
    for before, after in zip(order, order[1:]):
        c = change(versions[before], versions[after])
        if c is not None:
            rows.setdefault(name, []).append(f"{after}" if c is True else f"{after}:{'|'.join(c)}")
# Operators from before ONNX 1.0, which ONNX Runtime no longer has from opset 10 on.
for s in ort_state.get_all_operator_schema():
    if s.domain == '' and s.name not in schemas and s.deprecated:
        rows[s.name] = [str(s.since_version)]
rows = dict(sorted(rows.items()))
print('// Made by test/generate/opset-changes.py from onnx.defs; do not edit.\n')
print('/** The newest opset whose changes are known. */')
print(f'export const NEWEST_OPSET = {defs.onnx_opset_version()};\n')
print("/**\n * The opsets that change the meaning or form of an ONNX operator. Dropped attributes follow a colon: the change does not\n * affect a node without them.\n */")
print('export const OPSET_CHANGES: Readonly<Record<string, string>> = {')
for name, changes in rows.items():
    print(f"  {name}: '{' '.join(changes)}',")
print('};')
