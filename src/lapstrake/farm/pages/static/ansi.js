// Lines of logs as nodes: as farm/pages/ansi.py makes them on the server.
const LONGEST = 4000;
const SEQUENCE = /\x1b\[([\d;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]/g;
const WEIGHTS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline" };
const ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"] };
const COLOURS = [[30, "fg"], [90, "fg"], [40, "bg"], [100, "bg"]];

export function lineNodes(line) {
  const shown = line.replace(/\r+$/, "").split(/\r|\u240d/).pop(); // a stream shows \r as a sign
  const letters = shown.length > LONGEST ? [...shown] : shown; // a letter may be two of JavaScript's
  const nodes = spans(letters.length > LONGEST ? letters.slice(0, LONGEST).join("") : shown);
  if (letters.length > LONGEST) nodes.push(node(" … (cut: the whole log has the rest)", ["dim"]));
  return nodes;
}

function spans(line) {
  const nodes = [];
  const style = new Map();
  let start = 0;
  for (const found of line.matchAll(SEQUENCE)) {
    if (found.index > start) nodes.push(node(signs(line.slice(start, found.index)), style.values()));
    start = found.index + found[0].length;
    if (found[1] !== undefined) apply(style, found[1]);
  }
  if (start < line.length) nodes.push(node(signs(line.slice(start)), style.values()));
  return nodes;
}

function node(text, classes) {
  const names = [...classes];
  if (!names.length) return document.createTextNode(text);
  const span = document.createElement("b");
  span.className = names.join(" ");
  span.textContent = text;
  return span;
}

function signs(text) {
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, (letter) => `^${String.fromCharCode(letter.charCodeAt(0) ^ 0x40)}`);
}

function apply(style, codes) {
  const numbers = codes.split(/[;:]/).map((code) => Number(code.slice(0, 4)) || 0);
  while (numbers.length) {
    const number = numbers.shift();
    if (number === 0) style.clear();
    else if (number in WEIGHTS) style.set(WEIGHTS[number], WEIGHTS[number]);
    else if (number in ENDS) ENDS[number].forEach((weight) => style.delete(weight));
    else if (number === 38 || number === 48) numbers.splice(0, numbers[0] === 5 ? 2 : 4);
    else if (number === 39 || number === 49) style.delete(number === 39 ? "fg" : "bg");
    else for (const [first, place] of COLOURS) {
      if (number >= first && number < first + 8) style.set(place, `${place}-${number - first}`);
    }
  }
}
