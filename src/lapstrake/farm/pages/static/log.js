// A log: followed, searched, linked to its lines, and loaded in windows when it is large.
import { lineNodes } from "./ansi.js";
import { renewSoon, stream } from "./live.js";

const MOST_ROWS = 5000;
const WINDOW = 500;
const NEAR = 400;

export function openLog(part) {
  const box = part.querySelector(".lines");
  const data = part.dataset;
  const attempt = Number(data.attempt);
  let first = Number(data.first);
  let last = Number(data.last);
  let total = Number(data.total);
  let heard = total; // lines up to here have come, by the page or by the stream
  let live = data.over !== "yes";
  let follow = live && data.line === "0" && !location.hash;
  let loading = null;
  let hits = [];
  let hit = -1;

  // ── rows
  function row(number, line) {
    const element = document.createElement("div");
    element.className = "row";
    element.id = `L${number}`;
    const link = document.createElement("a");
    link.href = `?attempt=${attempt}&line=${number}#L${number}`;
    link.setAttribute("aria-label", `Line ${number}`);
    link.textContent = number;
    const text = document.createElement("span");
    text.append(...lineNodes(line));
    element.append(link, text);
    return element;
  }

  function dropFrom(start) {
    const extra = box.childElementCount - MOST_ROWS;
    if (extra <= 0) return;
    const height = box.scrollHeight;
    for (let count = 0; count < extra; count += 1) (start ? box.firstElementChild : box.lastElementChild).remove();
    if (start) {
      first += extra;
      if (!follow) box.scrollTop -= height - box.scrollHeight;
    } else last -= extra;
  }

  function tell() {
    part.querySelector(".counted").textContent = total
      ? `Lines ${first} to ${last} of ${total}${live ? " so far" : ""}.` : "Nothing yet.";
    box.classList.toggle("short", last - first < 15);
  }

  async function fetchRows(from, count) {
    const answer = await fetch(`${data.lines}/lines?attempt=${attempt}&from=${from}&count=${count}`);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("div");
    return { rows: [...fresh.children], info: fresh.dataset };
  }

  function load(from, count, where) {
    loading ??= take(from, count, where).finally(() => { loading = null; });
    return loading;
  }

  async function take(from, count, where) {
    try {
      const { rows, info } = await fetchRows(from, count);
      total = Math.max(total, Number(info.total));
      if (where === "before") {
        if (from + rows.length !== first) return; // the stream has moved the window meanwhile
        const height = box.scrollHeight;
        box.prepend(...rows);
        box.scrollTop += box.scrollHeight - height;
        first = from;
        dropFrom(false);
      } else if (where === "after") {
        const fresh = rows.slice(last + 1 - from);
        box.append(...fresh);
        last += fresh.length;
        dropFrom(true);
      } else {
        box.replaceChildren(...rows);
        first = Number(info.first);
        last = Number(info.last);
      }
      mark();
      tell();
    } catch {
      part.querySelector(".counted").textContent = "The server did not answer; scroll to try again.";
    }
  }

  function nearEdges() {
    if (box.scrollTop < NEAR && first > 1) load(Math.max(first - WINDOW, 1), Math.min(WINDOW, first - 1), "before");
    else if (below() < NEAR && last < total) load(last + 1, WINDOW, "after");
  }

  const below = () => box.scrollHeight - box.scrollTop - box.clientHeight;

  // ── lines by their number: #L12 or #L12-L20
  function chosen() {
    const found = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
    if (!found) return null;
    const ends = [Number(found[1]), Number(found[2] || found[1])];
    return [Math.min(...ends), Math.max(...ends)];
  }

  function mark() {
    const range = chosen();
    for (const old of box.querySelectorAll(".chosen, .now")) old.classList.remove("chosen", "now");
    if (range) for (let line = range[0]; line <= range[1] && line - range[0] < MOST_ROWS; line += 1) {
      document.getElementById(`L${line}`)?.classList.add("chosen");
    }
    if (hit >= 0) document.getElementById(`L${hits[hit]}`)?.classList.add("now");
    highlight();
  }

  async function goTo(line, focus = false) {
    setFollow(false);
    await loading;
    if (line < first || line > last) await load(Math.max(line - 100, 1), WINDOW, "only");
    const target = document.getElementById(`L${line}`);
    if (!target) return;
    box.scrollTop += target.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
    part.scrollIntoView({ block: "nearest" });
    if (focus) target.querySelector("a").focus({ preventScroll: true });
    mark();
  }

  box.addEventListener("click", (event) => {
    const link = event.target.closest(".row > a");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const line = Number(link.textContent);
    const range = chosen();
    const hash = event.shiftKey && range ? `#L${Math.min(range[0], line)}-L${Math.max(range[0], line)}` : `#L${line}`;
    const start = /L(\d+)/.exec(hash)[1];
    history.replaceState(null, "", `?attempt=${attempt}&line=${start}${hash}`);
    setFollow(false);
    mark();
  });
  addEventListener("hashchange", () => { const range = chosen(); if (range) goTo(range[0]); });

  // ── following
  const button = document.createElement("button");
  button.type = "button";
  button.className = "follow";
  function setFollow(on) {
    follow = on;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Following: stop" : "Follow the end";
    if (on) toEnd();
  }
  async function toEnd() {
    await loading;
    for (let tries = 0; follow && last < heard && tries < 3; tries += 1) {
      await load(Math.max(heard - WINDOW + 1, 1), 4 * WINDOW, "only");
    }
    box.scrollTop = box.scrollHeight;
  }
  button.addEventListener("click", () => setFollow(!follow));
  box.addEventListener("wheel", (event) => { if (event.deltaY < 0 && follow) setFollow(false); }, { passive: true });
  box.addEventListener("keydown", (event) => {
    if (["ArrowUp", "PageUp", "Home"].includes(event.key) && follow) setFollow(false);
    if (event.key === "End") setFollow(live);
  });
  box.addEventListener("scroll", nearEdges, { passive: true });

  // Rows of pieces that come close together are shown at once.
  let waiting = [];
  let frame = 0;
  function takeLive(lines) {
    waiting.push(...lines);
    if (!frame) frame = requestAnimationFrame(show);
  }
  function show() {
    frame = 0;
    const lines = waiting;
    waiting = [];
    const begin = heard + 1;
    heard += lines.length;
    total = Math.max(total, heard);
    if (last >= begin - 1 && last < heard && (follow || box.childElementCount < MOST_ROWS)) {
      const some = lines.slice(last + 1 - begin).slice(-MOST_ROWS);
      if (heard - some.length > last) {
        box.replaceChildren();
        first = heard - some.length + 1;
      }
      box.append(...some.map((line, place) => row(heard - some.length + 1 + place, line)));
      last = heard;
      dropFrom(true);
    }
    if (follow) box.scrollTop = box.scrollHeight;
    tell();
  }

  function followStream() {
    let offset = Number(data.end);
    stream(() => `${data.log}/events?attempt=${attempt}&offset=${offset}`, (source, close) => {
      source.addEventListener("lines", (event) => {
        const lines = event.data.split("\n");
        offset = Number(event.lastEventId) || offset;
        takeLive(lines);
      });
      source.addEventListener("attempt", (event) => {
        const other = JSON.parse(event.data).attempt;
        if (other === attempt) return;
        close(true);
        if (follow) location.assign(`?attempt=${other}#log-title`);
        else tellOther(other);
      });
      source.addEventListener("end", () => {
        close(true);
        live = false;
        setFollow(false);
        button.remove();
        tell();
        renewSoon();
      });
    });
  }

  function tellOther(other) {
    live = false;
    button.remove();
    const link = document.createElement("a");
    link.href = `?attempt=${other}#log-title`;
    link.textContent = `Attempt ${other} has begun`;
    part.querySelector(".counted").after(link);
  }

  // ── searching
  const form = part.querySelector(".tools");
  const found = part.querySelector(".found");
  const steps = ["Previous", "Next"].map((name, place) => {
    const step = document.createElement("button");
    step.type = "button";
    step.textContent = name;
    step.hidden = true;
    step.addEventListener("click", () => toHit(hit + (place ? 1 : -1)));
    found.after(step);
    return step;
  });
  found.after(...steps);

  function highlight() {
    if (!CSS.highlights) return;
    const wanted = form.q.value.toLowerCase();
    const ranges = [];
    if (wanted && hits.length) {
      const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const node = walker.currentNode;
        if (node.parentElement.localName === "a") continue;
        const text = node.data.toLowerCase();
        for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + wanted.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("hits", new Highlight(...ranges));
  }

  async function toHit(place) {
    if (!hits.length) return;
    hit = (place + hits.length) % hits.length;
    await goTo(hits[hit]);
    found.textContent = `${hit + 1} of ${hits.length}${hits.whole ? "" : " or more"}`;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const line = Number(form.line.value);
    if (line && event.submitter !== form.querySelector("button")) {
      history.replaceState(null, "", `?attempt=${attempt}&line=${line}#L${line}`);
      await goTo(line, true);
    } else await search();
  });

  async function search() {
    const answer = await fetch(`${data.lines}/hits?attempt=${attempt}&q=${encodeURIComponent(form.q.value)}`);
    const document_ = answer.ok ? await answer.json() : { lines: [], whole: true };
    hits = document_.lines;
    hits.whole = document_.whole;
    hit = -1;
    for (const step of steps) step.hidden = !hits.length;
    if (hits.length) await toHit(0);
    else {
      found.textContent = form.q.value ? "Not found." : "";
      mark();
    }
  }

  // ── begin
  for (const old of part.querySelectorAll(".earlier, .later, .hits")) old.remove();
  if (live) {
    form.append(button);
    followStream();
  }
  tell();
  const range = chosen();
  if (!live && data.line === "0") box.scrollTop = box.scrollHeight;
  if (range) goTo(range[0]);
  else if (form.q.value) search();
  else setFollow(follow);
}
