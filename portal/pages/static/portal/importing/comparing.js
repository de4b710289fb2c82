// On a key's page: whether the receipts of its versions are for exactly what this browser sent.

import { anchorsOf } from "./anchors.js";
import { Keeping } from "./keeping.js";
import { Portal } from "./portal.js";
import { checkReceipt } from "./receipts.js";
import { Refused } from "./refused.js";
import { byId, element, records, when } from "./showing.js";

const place = byId("compared");
const { tenant, key, name, partition } = JSON.parse(place.dataset.facts);
const portal = new Portal();
const now = () => Math.floor(Date.now() / 1000);

const said = (tone, word, sentence) => {
  const made = element("span", element("span", word, `state ${tone}`));
  made.append(` ${sentence}`);
  return made;
};

// `one` as it was kept when it was sent.
async function compare(one, keeping) {
  try {
    const { receipt } = await portal.get(`keys/${key}/receipt?version=${one.version}`);
    if (one.receipt)
      return receipt === one.receipt
        ? said("good", "same", "It is the receipt that was checked here when it came.")
        : said("bad", "other", "Another receipt was checked here when this version was sent. Keep both, and ask the provider.");
    const { roots } = await anchorsOf(await keeping.get("anchors"), "");
    await checkReceipt(receipt, one.sent, roots, now());
    await keeping.keepImport({ ...one, receipt });
    return said("good", "same", "It is for exactly what was sent.");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return said("bad", error.code, error.message);
  }
}

const keeping = await Keeping.open(tenant);
const sent = (await keeping.imports()).filter((one) => one.name === name && one.partition === partition);
if (sent.length) {
  const rows = await Promise.all(sent.map(async (one) => [String(one.version), when(one.at), await compare(one, keeping)]));
  records(byId("compared-list"), rows);
  place.hidden = false;
}
