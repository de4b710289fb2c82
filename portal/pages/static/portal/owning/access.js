// The page of who may do what: offers its form to whoever has the partition's owner credential in this browser. What this
// goes by is the portal's word alone, and nothing is signed here: the next page asks the device.

import { Keeping } from "../importing/keeping.js";
import { byId, element } from "../importing/showing.js";
import { about, tenant } from "../importing/state.js";

const own = await (await Keeping.open(tenant)).owner();
if (own && about.owners.includes(own.fingerprint)) {
  for (const one of document.querySelectorAll(".without-owner")) one.hidden = true;
  byId("owner-here").hidden = false;
  byId("list").hidden = false;
} else if (own) {
  byId("owner-other-which").replaceChildren(element("span", own.fingerprint, "id"));
  byId("owner-other").hidden = false;
}
