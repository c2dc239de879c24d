/*
 * Forms that a security key (or the fingerprint of a phone) fills in: form[data-security-key="create" or "get"]. What the
 * browser is to ask the key is in the JSON of #security-key-options, the key's answer goes into the field "credential".
 * Without JavaScript, or in a browser that cannot, the form stays hidden and the words beside it say so.
 */

const SORRY = {
  NotAllowedError: "That did not work: the key was not touched in time, or it is not one of yours.",
  InvalidStateError: "This key is one of yours already.",
  SecurityError: "Keys belong to a name such as localhost: open this page by a name, and not by an IP address.",
};

const ask = async (kind, options) => {
  if (kind === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.creation_options.publicKey);
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.request_options.publicKey);
  return navigator.credentials.get({ publicKey });
};

const prepare = (form, options) => {
  const words = form.querySelector("[role=alert]");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    words.textContent = "";
    try {
      const credential = await ask(form.dataset.securityKey, options);
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (error) {
      words.textContent = SORRY[error.name] ?? `That did not work: ${error.message}`;
    }
  });
};

if (window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
  const options = JSON.parse(document.getElementById("security-key-options").textContent);
  for (const form of document.querySelectorAll("form[data-security-key]")) prepare(form, options);
  for (const notice of document.querySelectorAll("[data-no-security-key]")) notice.hidden = true;
}
