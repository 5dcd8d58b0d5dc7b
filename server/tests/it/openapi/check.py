"""Holds an OpenAPI document to its specification, and its examples and what a server answered to the document.

Reads {"document": ..., "exchanges": [{"operation": id, "status": 200, "answer": ...}]}; prints what is wrong, and ends
with 1 if anything is.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator


def main():
    given = json.load(sys.stdin)
    document = given["document"]
    wrong = [f"the document: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    operations = {
        told["operationId"]: told for methods in document["paths"].values() for told in methods.values()
    }

    def hold(what, instance, schema):
        # The references in it lead into the document.
        validator = Draft202012Validator({**schema, "components": document["components"]})
        for error in validator.iter_errors(instance):
            wrong.append(f"{what}: at {error.json_path}: {error.message}")

    for name, told in operations.items():
        for media_type, body in told.get("requestBody", {}).get("content", {}).items():
            if media_type == "application/json":
                assert "example" in body, f"{name} has no example"
                hold(f"the example of {name}", body["example"], body["schema"])
    for exchange in given["exchanges"]:
        name, status = exchange["operation"], str(exchange["status"])
        answer = operations[name]["responses"][status]
        if "$ref" in answer:
            answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
        hold(f"the answer of {name}", exchange["answer"], answer["content"]["application/json"]["schema"])
        # What is answered and not told of would be missing from the reference.
        schema = answer["content"]["application/json"]["schema"]
        if "properties" in schema and "oneOf" not in schema:
            extra = set(exchange["answer"]) - set(schema["properties"])
            if extra:
                wrong.append(f"the answer of {name} has {sorted(extra)}, which the document has not")
    print("\n".join(wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
