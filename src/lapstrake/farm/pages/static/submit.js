// The form for bundles: dropped archives and folders, progress, and what went wrong.
import { tar } from "./tar.js";

const SIZES = ["bytes", "KiB", "MiB", "GiB"];

export function openForm(form) {
  const drop = form.querySelector("#drop");
  const chosen = form.querySelector("#chosen");
  const problem = form.querySelector("#problem");
  let bundle = null;

  for (const each of form.querySelectorAll(".scripted")) each.hidden = false;
  form.bundle.addEventListener("change", () => choose(form.bundle.files[0] ?? null, form.bundle.files[0]?.name));
  const folder = form.querySelector("#folder");
  form.querySelector("#choose-folder").addEventListener("click", () => folder.click());
  folder.addEventListener("change", (event) => {
    const files = [...event.target.files].map((file) => ({ path: file.webkitRelativePath, file }));
    chooseFolder(files);
  });

  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const [file] = event.dataTransfer.files;
    if (entries.some((entry) => entry.isDirectory)) {
      try {
        chooseFolder((await Promise.all(entries.map((entry) => walk(entry)))).flat());
      } catch {
        say("The folder cannot be read: something in it is not to be opened. Send an archive of it.");
      }
    } else if (file) choose(file, file.name);
  });

  function choose(blob, name) {
    bundle = blob && { blob, name };
    if (blob && blob !== form.bundle.files[0]) form.bundle.value = "";
    problem.hidden = true;
    chosen.textContent = blob ? `${name}, ${amount(blob.size)}` : "";
    fits();
  }

  function fits() {
    const limit = Number(form.dataset.limit);
    if (!bundle || bundle.blob.size <= limit) return true;
    say(`It is too large: at most ${amount(limit)} may be sent.`);
    return false;
  }

  async function chooseFolder(files) {
    if (!files.length) {
      say("The folder is empty.");
      return;
    }
    const blob = await tar(files);
    choose(blob, `${files[0].path.split("/")[0]}.tar`);
    chosen.textContent += ` (${files.length} files)`;
  }

  function say(text) {
    problem.textContent = text;
    problem.hidden = false;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (fits()) send(form, bundle, say);
  });
}

function send(form, bundle, say) {
  const button = form.querySelector("button.main");
  const sending = form.querySelector("#sending");
  const [progress, sent] = [form.querySelector("progress"), form.querySelector("#sent")];
  const data = new FormData(form);
  data.delete("bundle");
  if (bundle) data.append("bundle", bundle.blob, bundle.name);
  form.querySelector("#problem").hidden = true;
  const request = new XMLHttpRequest(); // fetch cannot tell how much it has sent
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => {
    progress.value = event.loaded / event.total;
    sent.textContent = `${amount(event.loaded)} of ${amount(event.total)}`;
  });
  request.addEventListener("load", () => {
    const answer = parse(request.responseText);
    if (request.status < 300 && answer.location) {
      location.assign(answer.location);
      return;
    }
    over([answer.detail, answer.resolution].filter(Boolean).join(". ") || `The server answered ${request.status}.`);
  });
  request.addEventListener("error", () => over("The server did not take it: the connection broke. Nothing was started; send it again."));
  function over(text) {
    say(text);
    button.disabled = false;
    sending.hidden = true;
  }
  button.disabled = true;
  sending.hidden = false;
  request.send(data);
}

async function walk(entry, folder = "") {
  const path = folder + entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    return [{ path, file }];
  }
  const reader = entry.createReader();
  const entries = [];
  for (;;) { // a reader gives its entries in pieces
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) break;
    entries.push(...some);
  }
  return (await Promise.all(entries.map((each) => walk(each, `${path}/`)))).flat();
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function amount(size) {
  let unit = 0;
  let number = size;
  for (; number >= 1024 && unit < SIZES.length - 1; unit += 1) number /= 1024;
  return unit ? `${number.toFixed(1)} ${SIZES[unit]}` : `${size} bytes`;
}
