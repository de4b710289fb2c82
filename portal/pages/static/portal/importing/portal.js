// The portal's REST interface (docs/spec/rest.md), as this page calls it: with the session and its CSRF token.

import { Refused } from "./refused.js";

// From the cookie, and not from the page: whoever logs in again in another tab goes on here.
const csrfToken = () => /(?:^|; )(?:__Host-)?csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";

export class Portal {
  get(path) {
    return this.call("GET", path);
  }

  post(path, body) {
    return this.call("POST", path, JSON.stringify(body));
  }

  put(path, body) {
    return this.call("PUT", path, JSON.stringify(body));
  }

  async call(method, path, body) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json", "X-CSRFToken": csrfToken() };
    let response;
    try {
      response = await fetch(`/api/v1/${path}`, { method, body, headers, redirect: "error", cache: "no-store" });
    } catch {
      throw new Refused("unavailable", "The portal does not answer. Try again.");
    }
    let answer;
    try {
      answer = await response.json();
    } catch {
      throw new Refused("internal", `The portal answered something unreadable (${response.status}).`);
    }
    if (response.ok) return answer;
    const { code = "internal", title = "", detail = "" } = answer;
    if (code === "unauthenticated") throw new Refused(code, "You are not logged in any more. Log in again in another tab, then go on here.");
    throw new Refused(code, detail && detail !== title ? `${title} ${detail}` : title);
  }
}
