// Passkeys: a form marked data-passkey asks the server for options, the browser for a credential, and takes that along.
(() => {
  "use strict";
  const api = window.PublicKeyCredential;
  if (!api || !api.parseRequestOptionsFromJSON) return; // the forms stay hidden

  const MAKE = {
    create: (options) => navigator.credentials.create({ publicKey: api.parseCreationOptionsFromJSON(options) }),
    get: (options) => navigator.credentials.get({ publicKey: api.parseRequestOptionsFromJSON(options) }),
  };

  async function begin(form) {
    const token = form.elements.csrfmiddlewaretoken.value;
    const answer = await fetch(form.dataset.begin, { method: "POST", headers: { "X-CSRFToken": token } });
    if (answer.redirected) return window.location.assign(answer.url); // the proof has grown old meanwhile
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.message || form.dataset.failed);
    const credential = await MAKE[form.dataset.passkey](told.options);
    form.elements.challenge.value = told.challenge;
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.closest("[hidden]").hidden = false;
    const error = form.querySelector("[data-passkey-error]");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      error.hidden = true;
      try {
        await begin(form);
      } catch (problem) {
        // Browsers say little about what went wrong, and nothing in the user's language.
        error.textContent = problem instanceof DOMException ? form.dataset.failed : problem.message;
        error.hidden = false;
      }
    });
  }
})();
