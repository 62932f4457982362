// Regions with `data-live` are taken anew from the server when something happened.
const LEAST = 700;

let last = 0;
let timer = 0;

export function renewSoon() {
  if (timer || document.hidden) return;
  timer = setTimeout(renew, Math.max(0, last + LEAST - Date.now()));
}

async function renew() {
  timer = 0;
  last = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (fresh.querySelector("[data-log]") && !document.querySelector("[data-log]") && !busy(document.body)) {
      location.reload(); // it has begun: there is a log now
      return;
    }
    for (const region of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(region.id);
      if (now && !busy(region)) replace(region, now);
    }
    document.title = fresh.title;
    document.dispatchEvent(new CustomEvent("renewed"));
  } catch {
    // The server is away; the stream tells when it is back.
  }
}

// What somebody fills in or has opened stays as it is.
function busy(region) {
  const focus = document.activeElement;
  return region.contains(focus) && focus.matches("input, select, textarea");
}

function replace(region, now) {
  if (region.innerHTML === now.innerHTML) return;
  const focus = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const open = [...region.querySelectorAll("details[open]")].length > 0;
  region.replaceChildren(...document.importNode(now, true).childNodes);
  for (const name of region.getAttributeNames()) if (!now.hasAttribute(name)) region.removeAttribute(name);
  for (const name of now.getAttributeNames()) region.setAttribute(name, now.getAttribute(name));
  if (open) region.querySelectorAll("details").forEach((each) => { each.open = true; });
  if (focus) region.querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

// A stream of server-sent events that rests while the page is not seen: browsers allow few of them.
export function stream(address, listen) {
  let source = null;
  function open() {
    if (source || document.hidden) return;
    source = new EventSource(address());
    listen(source, close);
  }
  function close(forever = false) {
    source?.close();
    source = null;
    if (forever) document.removeEventListener("visibilitychange", turn);
  }
  function turn() {
    if (document.hidden) close();
    else open();
  }
  document.addEventListener("visibilitychange", turn);
  open();
}

export function followEvents(path) {
  stream(() => path, (source) => {
    source.onopen = renewSoon;
    source.onmessage = renewSoon;
  });
  const every = Math.min(...[...document.querySelectorAll("[data-every]")].map((each) => Number(each.dataset.every)));
  if (Number.isFinite(every)) setInterval(() => document.querySelector("[data-every]") && renewSoon(), every * 1000);
}
