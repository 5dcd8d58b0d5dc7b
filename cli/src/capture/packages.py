# Lists what is installed for this interpreter, as `pip freeze` would, in JSON.
import sys

# Nothing of the current directory may be imported.
sys.path[:] = [path for path in sys.path if path]

import json
import re
from importlib import metadata


def origin(distribution):
    try:
        return json.loads(distribution.read_text("direct_url.json") or "{}")
    except Exception:
        return {}


found = {}
folders = []
for distribution in metadata.distributions():
    try:
        name, version = distribution.metadata["Name"], distribution.version
    except Exception:
        continue
    if not name or not version:
        continue
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        continue
    told = origin(distribution)
    # A token in an address is nobody's business.
    url = re.sub(r"//(?!git@)[^/@]*@", "//", str(told.get("url") or ""))
    source = told.get("vcs_info")
    if url and source:
        found[key] = "%s @ %s+%s@%s" % (name, source.get("vcs"), url, source.get("commit_id"))
    elif url and "dir_info" in told:
        found[key] = "%s @ %s  # version %s" % (name, url, version)
        if url.startswith("file://"):
            folders.append([name, url[len("file://") :]])
    elif url:
        found[key] = "%s @ %s" % (name, url)
    else:
        found[key] = "%s==%s" % (name, version)
packages = [found[key] for key in sorted(found)]
version = ".".join(map(str, sys.version_info[:3]))
print(json.dumps({"executable": sys.executable, "version": version, "packages": packages, "folders": folders}))
