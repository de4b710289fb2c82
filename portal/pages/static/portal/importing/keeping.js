// What this browser keeps for a tenant (IndexedDB): its own device key and an owner credential that was made here, of
// which scripts can have signatures but not the bytes, the trust anchors, for
// each partition the last access list that was verified, and of each import what its receipt must say. Never a key that
// is imported, nor its terms.

import { b64u } from "./encoding.js";
import { credential } from "./judging.js";

const [STORE, SENT] = ["kept", "sent"];

const finished = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Keeping {
  static async open(tenant) {
    const request = indexedDB.open(`strongroom ${tenant}`, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    return new Keeping(await finished(request));
  }

  constructor(database) {
    this.database = database;
  }

  get(name) {
    return finished(this.database.transaction(STORE).objectStore(STORE).get(name));
  }

  put(name, value) {
    return finished(this.database.transaction(STORE, "readwrite").objectStore(STORE).put(value, name));
  }

  forget(name) {
    return finished(this.database.transaction(STORE, "readwrite").objectStore(STORE).delete(name));
  }

  // What was sent from here, oldest first: for each import its name, version, partition and time (`at`), what its receipt
  // must say (`sent`, as the command keeps it), what was validated before (`dossier`), and the receipt once it was checked.
  async imports() {
    const range = IDBKeyRange.bound(`${SENT} `, `${SENT} \uffff`);
    const found = await finished(this.database.transaction(STORE).objectStore(STORE).getAll(range));
    return found.sort((one, other) => one.at - other.at);
  }

  keepImport(one) {
    return this.put(`${SENT} ${one.import_id}`, one);
  }

  forgetImport(one) {
    return this.forget(`${SENT} ${one.import_id}`);
  }

  // The owner credential that was made here: signs access lists, and cannot be taken out.
  async owner() {
    const kept = await this.get("owner");
    return kept ? { ...kept, ...(await credential({ x: kept.x })) } : null;
  }

  keepOwner({ x, privateKey }) {
    return this.put("owner", { x, privateKey });
  }

  // This browser's device key: signs as the access list's principal, and cannot be taken out.
  async device() {
    const kept = await this.get("device");
    return kept ? { ...kept, ...(await credential({ x: kept.x })) } : null;
  }

  async makeDevice(name) {
    const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    const x = b64u(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
    await this.put("device", { name, x, privateKey: pair.privateKey });
    return this.device();
  }
}
