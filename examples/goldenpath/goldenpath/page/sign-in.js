// The card to sign up or log in.

import { call } from "./api.js";
import { byId, put, say } from "./dom.js";

const KNOWN = "goldenpath.known"; // somebody has logged in here before

const form = byId("auth");
const [name, password] = [byId("name"), byId("password")];
const submit = form.querySelector("[type=submit]");
const toggle = form.querySelector("[data-testid=toggle]");
const error = byId("auth-error");
let signingUp = true;

/** Show the card; `entered()` is called once somebody is logged in. */
export function showSignIn(entered) {
  become(localStorage.getItem(KNOWN) === null);
  byId("sign-in").hidden = false;
  name.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    enter(entered);
  };
}

async function enter(entered) {
  if (submit.disabled) return;
  error.hidden = true;
  submit.disabled = true;
  const path = signingUp ? "/auth/sign-up" : "/auth/login";
  try {
    await call("POST", path, { name: name.value.trim(), password: password.value });
  } catch (refusal) {
    error.hidden = false;
    say(error, sentence(refusal.message));
    (refusal.status === 409 ? name : password).focus();
    return;
  } finally {
    submit.disabled = false;
  }
  localStorage.setItem(KNOWN, "yes");
  password.value = "";
  byId("sign-in").hidden = true;
  entered();
}

function become(up) {
  signingUp = up;
  say(byId("auth-title"), up ? "Create an account" : "Welcome back");
  say(submit, up ? "Sign up" : "Log in");
  say(byId("auth-question"), up ? "Have an account already?" : "New here?");
  say(toggle, up ? "Log in" : "Sign up");
  put(password, "autocomplete", up ? "new-password" : "current-password");
  byId("name-hint").hidden = byId("password-hint").hidden = !up;
  error.hidden = true;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

toggle.addEventListener("click", () => {
  become(!signingUp);
  name.focus();
});
