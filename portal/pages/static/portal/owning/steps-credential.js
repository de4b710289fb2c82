// The step `owner-step`: the owner credential of this browser, made, saved as a file, kept; or forgotten. Its section hears
// `kept` once there is one.

import { byId, facts, focusOn, offer, step } from "../importing/showing.js";
import { shared } from "../importing/state.js";
import { checkPassphrase, makeCredential } from "./credential.js";

// What was made and is not kept yet; `saved`: which of its files were.
let made = null;
const saved = new Set();

export async function showOwner() {
  const own = await shared.keeping.owner();
  byId("owner-new").hidden = Boolean(own);
  byId("owner-made").hidden = true;
  byId("owner-here").hidden = !own;
  if (own) facts(byId("owner-facts"), [["Owner fingerprint", own.fingerprint]]);
  return own;
}

byId("owner-new").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("owner-step"), "Nothing was made.", async (say) => {
    const [first, again] = [byId("new-passphrase"), byId("again-passphrase")];
    checkPassphrase(first.value, again.value);
    say("Making it, and putting its file under your passphrase…");
    made = await makeCredential(first.value);
    first.value = again.value = "";
    saved.clear();
    byId("kept-safe").checked = false;
    byId("kept-safe").disabled = true;
    facts(byId("made-facts"), [["Owner fingerprint", made.fingerprint]]);
    for (const link of byId("owner-files").querySelectorAll("a")) offer(link, link.dataset.file, made.files[link.dataset.file]);
    byId("owner-new").hidden = true;
    byId("owner-made").hidden = false;
    focusOn(byId("owner-made").querySelector("h3"));
  });
});

byId("owner-files").addEventListener("click", ({ target }) => {
  const { file } = target.dataset;
  if (file) saved.add(file);
  byId("kept-safe").disabled = !made || saved.size < Object.keys(made.files).length;
});

byId("owner-made").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("owner-step"), "Nothing was kept.", async () => {
    await shared.keeping.keepOwner(made);
    for (const link of byId("owner-files").querySelectorAll("a")) URL.revokeObjectURL(link.href);
    made = null;
    await showOwner();
    byId("owner-step").dispatchEvent(new Event("kept"));
  });
});

// --- forgetting -----------------------------------------------------------------------------------------------------------

const sure = (asked) => {
  byId("owner-sure").hidden = !asked;
  byId("owner-forget").hidden = asked;
};

byId("owner-forget").addEventListener("click", () => {
  sure(true);
  focusOn(byId("owner-sure").querySelector("h3"));
});

byId("owner-keep").addEventListener("click", () => {
  sure(false);
  byId("owner-forget").focus();
});

byId("owner-forget-now").addEventListener("click", () =>
  step(byId("owner-step"), "", async () => {
    await shared.keeping.forget("owner");
    sure(false);
    await showOwner();
    byId("owner-step").dispatchEvent(new Event("forgotten"));
    byId("new-passphrase").focus();
  }),
);
