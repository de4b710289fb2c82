"""The modules of the page of imports outside a browser: in Node, whose WebCrypto they use as well."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

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

        A `Refused` comes as `{"refused": code, "sentence": …, "ways": […]}`.
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
              console.log(JSON.stringify({{ refused: error.code, sentence: error.message, ways: error.ways }}));
            }}
        """
        path = self._folder / "test.js"
        path.write_text(whole)
        done = subprocess.run(
            ["node", "--no-warnings", path], input=json.dumps(given), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def pkcs8(key: Any, encoding: Encoding = Encoding.DER) -> bytes:
    data: bytes = key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
    return data


def read(modules: PageModules, data: bytes, key_type: str = "", encoding: str = "", **said: Any) -> dict[str, Any]:
    """The material that the page reads in a file; `said`: a passphrase, or a certificate's bytes."""
    script = """
        const { readMaterial } = await import("./material.js");
        const { certificate, ...said } = given.said;
        if (certificate) said.certificate = fromHex(certificate);
        const found = await readMaterial(fromHex(given.data), said);
        return { ...found, secret: hex(found.secret), chain: found.chain.map((one) => hex(one.bytes)) };
    """
    said = {name: one.hex() if isinstance(one, bytes) else one for name, one in said.items()}
    given = {"data": data.hex(), "said": said | {"keyType": key_type, "encoding": encoding}}
    found: dict[str, Any] = modules.run(script, given)
    return found
