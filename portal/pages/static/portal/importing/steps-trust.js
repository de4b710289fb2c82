// The step `trust` of several pages: whom the customer trusts. Its section hears `kept` once that is known here, and
// `changing` when somebody is about to change it: where that leads is each page's.

import { describe, readAnchors } from "./anchors.js";
import { byId, facts, step } from "./showing.js";
import { shared } from "./state.js";

const tell = (what) => byId("trust").dispatchEvent(new Event(what));

export async function showAnchors() {
  const own = await shared.keeping.owner();
  byId("owner").required = !own;
  byId("owner-kept").hidden = !own;
  const kept = await shared.keeping.get("anchors");
  byId("anchors").hidden = Boolean(kept);
  byId("anchors-kept").hidden = !kept;
  if (!kept) return false;
  facts(byId("anchors-facts"), await describe(kept));
  return true;
}

byId("anchors").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("trust"), "Nothing was kept.", async () => {
    const file = (id) => byId(id).files[0];
    const given = {
      provider: byId("provider").value.trim(), roots: file("roots"), validation: file("validation"), owner: file("owner"),
      own: await shared.keeping.owner(), third: [...byId("third").files],
    };
    await shared.keeping.put("anchors", await readAnchors(given));
    await showAnchors();
    tell("kept");
  });
});

byId("anchors-change").addEventListener("click", () => {
  byId("anchors").hidden = false;
  byId("anchors-kept").hidden = true;
  tell("changing");
  byId("provider").focus();
});
