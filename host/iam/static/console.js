// Passkeys and security keys: between the JSON endpoints and navigator.credentials.
"use strict";

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const withBytes = (list) => (list || []).map((item) => ({ ...item, id: toBytes(item.id) }));

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

function common(credential) {
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

async function register(name) {
  const options = await post("/api/mfa-devices/webauthn/options", { name });
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    user: { ...options.user, id: toBytes(options.user.id) },
    excludeCredentials: withBytes(options.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  const response = {
    clientDataJSON: toText(made.response.clientDataJSON),
    attestationObject: toText(made.response.attestationObject),
    transports: made.response.getTransports ? made.response.getTransports() : [],
  };
  await post("/api/mfa-devices/webauthn", { name, credential: { ...common(made), response } });
  location.assign("/security-credentials?done=assigned");
}

async function prove() {
  const options = await post("/api/sign-in/webauthn/options", {});
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    allowCredentials: withBytes(options.allowCredentials),
  };
  const proof = await navigator.credentials.get({ publicKey });
  const response = {
    clientDataJSON: toText(proof.response.clientDataJSON),
    authenticatorData: toText(proof.response.authenticatorData),
    signature: toText(proof.response.signature),
    userHandle: proof.response.userHandle ? toText(proof.response.userHandle) : null,
  };
  await post("/api/sign-in/webauthn", { credential: { ...common(proof), response } });
  location.assign("/");
}

// What the browser says of a ceremony that it gave up, in words for people.
const words = {
  NotAllowedError: "It was cancelled, took too long, or this key is not one of yours. Try again.",
  InvalidStateError: "This key is registered with you already. Use another key.",
  NotSupportedError: "This key cannot be used here. Use another key.",
  SecurityError: "The browser does not let this page use keys. Open it as http://localhost.",
};

async function run(button, work) {
  const status = document.getElementById("status");
  button.disabled = true;
  status.classList.remove("failed");
  status.textContent = "Insert your security key and touch it, or follow what the browser asks for.";
  try {
    await work();
  } catch (error) {
    status.textContent = words[error.name] || error.message;
    status.classList.add("failed");
    button.disabled = false;
    button.focus();
  }
}

const useKey = document.getElementById("use-key");
if (useKey) useKey.addEventListener("click", () => run(useKey, prove));

const registerKey = document.getElementById("register");
if (registerKey) {
  registerKey.addEventListener("click", () => run(registerKey, () => register(registerKey.dataset.name)));
}
