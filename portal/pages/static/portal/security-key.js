"use strict";

// Has a security key register (`data-security-key="create"`) or sign (`"get"`), and sends its answer with the form.

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const credentials = (form) =>
  form.dataset.keys.split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: decode(id) }));

async function create(form) {
  const made = await navigator.credentials.create({
    publicKey: {
      rp: { id: location.hostname, name: "Strongroom" },
      user: { id: crypto.getRandomValues(new Uint8Array(16)), name: form.dataset.name, displayName: form.dataset.name },
      // Nothing signs it where no attestation is asked for.
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }],
      excludeCredentials: credentials(form),
      attestation: "none",
      authenticatorSelection: {
        authenticatorAttachment: "cross-platform", residentKey: "discouraged", userVerification: "required",
      },
    },
  });
  return {
    credential_id: made.rawId,
    public_key: made.response.getPublicKey(),
    authenticator_data: made.response.getAuthenticatorData(),
    client_data: made.response.clientDataJSON,
  };
}

// What the key signs: what the page says, or to decline an action SHA-256 over a label, its digest and the reason.
async function challenge(form) {
  const digest = decode(form.dataset.challenge);
  if (!form.elements.decision || form.elements.decision.value === "approve") return digest;
  const text = new TextEncoder();
  const parts = [text.encode("strongroom.decline\0"), digest, text.encode(form.elements.reason.value)];
  return crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer());
}

async function get(form) {
  const given = await navigator.credentials.get({
    publicKey: {
      rpId: form.dataset.rpId,
      challenge: await challenge(form),
      allowCredentials: credentials(form),
      userVerification: "required",
    },
  });
  return {
    credential_id: given.rawId,
    authenticator_data: given.response.authenticatorData,
    client_data: given.response.clientDataJSON,
    signature: given.response.signature,
  };
}

async function answer(event) {
  event.preventDefault();
  const form = event.target;
  const failed = form.querySelector("[role=alert]");
  failed.textContent = "";
  if (form.elements.decision) {
    const { decision, reason } = form.elements;
    decision.value = event.submitter.value;
    reason.value = decision.value === "approve" ? "" : reason.value.trim();
    if (decision.value !== "approve" && !reason.value) {
      failed.textContent = "Say why: the others read it.";
      return;
    }
  }
  try {
    const members = await (form.dataset.securityKey === "create" ? create(form) : get(form));
    for (const [name, value] of Object.entries(members)) form.elements[name].value = encode(value);
    form.submit();
  } catch (error) {
    failed.textContent = `The security key did not answer: ${error.message}`;
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-security-key]")) {
    form.addEventListener("submit", answer);
    form.hidden = false;
  }
}
