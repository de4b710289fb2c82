"""The modules of the page of imports outside a browser: in Node, whose WebCrypto they use as well."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stack.layout import PROJECT

MODULES = PROJECT / "portal/pages/static/portal/importing"
NPM = Path(sys.prefix) / "npm/node_modules"


class PageModules:
    """A folder in which the modules find what npm installed, as the import map has it in a browser."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "node_modules").symlink_to(NPM)
        for module in MODULES.glob("*.js"):
            (folder / module.name).write_bytes(module.read_bytes())

    def run(self, script: str, given: Any = None) -> Any:
        """What `script` (the body of an async function of `given`) returns, by way of JSON. Bytes are in hexadecimal.

        A `Refused` comes as `{"refused": code, "sentence": …}`.
        """
        whole = f"""
            import {{ Refused }} from "./refused.js";
            import {{ fromHex, hex }} from "./encoding.js";
            import {{ readFileSync }} from "node:fs";
            const given = JSON.parse(readFileSync(0, "utf8"));
            try {{
              const found = await (async () => {{ {script} }})();
              console.log(JSON.stringify(found ?? null));
            }} catch (error) {{
              if (!(error instanceof Refused)) throw error;
              console.log(JSON.stringify({{ refused: error.code, sentence: error.message }}));
            }}
        """
        path = self._folder / "test.js"
        path.write_text(whole)
        done = subprocess.run(
            ["node", "--no-warnings", path], input=json.dumps(given), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
